import { resourceTypeKey } from "../../src/domain/resource-type.ts";
import type { KubeRequest, KubeResponse, KubeTransport } from "../../src/kube/kube.ts";
import { NEVER } from "../../src/lib/abort.ts";
import { RetryableError } from "../../src/lib/errors.ts";
import type { Random } from "../../src/lib/random.ts";
import { toApiVersion } from "../../src/simulation/served-resources.ts";
import { type SimulatedCluster, toObjectKey } from "../../src/simulation/simulated-cluster.ts";
import type { SimulatedObject } from "../../src/simulation/simulated-object.ts";
import { createSimulatedTransport } from "../../src/simulation/simulated-transport.ts";
import { rewriteJson } from "../support/agent/rewrite-json.ts";
import { between, chance } from "./chance.ts";
import type { Effect } from "./coverage.ts";
import type { SimulatedProcess } from "./process.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** Faults of an API server. A rate is the share of the requests that it hits. */
export interface ApiFaults {
  /** True while the server answers nothing. */
  isGone: boolean;
  /** True while the server starts: not ready, and without any group except the core group. */
  isStarting: boolean;
  /** Groups that discovery lacks and that answer 404, as behind a gateway. */
  readonly hiddenGroups: Set<string>;
  /** Groups that answer 503, as an APIService without a backend. */
  readonly unavailableGroups: Set<string>;
  /** Resources that answer 403. */
  readonly forbidden: Set<string>;
  /** True while the agent's token counts as expired. */
  isUnauthorized: boolean;
  /** True to send the objects of DELETED events with the version of their last write, as some servers do. */
  deletionsAtLastVersion: boolean;
  /** Requests that are answered with 500, 429 or 503. */
  errorRate: number;
  /** Reads of one object that are answered with a 404 that is not the API server's. */
  falseAbsenceRate: number;
  /** Chunks of watches that break their connection. */
  brokenWatchRate: number;
  /** Requests that take seconds. */
  slowRate: number;
}

export function createApiFaults(): ApiFaults {
  return {
    isGone: false,
    isStarting: false,
    hiddenGroups: new Set(),
    unavailableGroups: new Set(),
    forbidden: new Set(),
    isUnauthorized: false,
    deletionsAtLastVersion: false,
    errorRate: 0,
    falseAbsenceRate: 0,
    brokenWatchRate: 0,
    slowRate: 0,
  };
}

export interface SimulatedKubeOptions {
  /** Returns the cluster that answers now. */
  readonly cluster: () => SimulatedCluster;
  /** True if lists and watches of custom objects lack fields that single reads have. */
  readonly isAbridged: boolean;
  readonly faults: ApiFaults;
  readonly time: VirtualTime;
  readonly random: Random;
  /** Called for each fault that was injected. */
  readonly onFault: (effect: Effect) => void;
}

/** The API server as one agent sees it. */
export function connectKube(process: SimulatedProcess, options: SimulatedKubeOptions): KubeTransport {
  const { cluster, isAbridged, faults, time, random, onFault } = options;
  const died = new AbortController();
  process.onDeath(() => died.abort(new Error("the process has died")));
  return {
    async get(signal, request) {
      const isSlow = chance(random, faults.slowRate);
      if (isSlow) {
        onFault("request slow");
      }
      const delay = isSlow ? between(random, 1_000, 9_000) : between(random, 1, 10);
      const query = new URLSearchParams(request.query).toString();
      const response = await process.call(`GET ${request.path}?${query}`, [delay, 1], async () => {
        signal.throwIfAborted();
        return (
          (await toFault(request, options)) ??
          (await createSimulatedTransport(cluster()).get(AbortSignal.any([signal, died.signal]), request))
        );
      });
      const isShortened = isAbridged && response.status === 200 && request.path.endsWith("/widgets");
      const served = isShortened ? rewriteJson(response, abridge(onFault)) : response;
      return { ...served, body: carry(served.body) };
    },
  };

  async function* carry(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of body) {
      await time.wait(between(random, 0, 5));
      if (faults.isGone || chance(random, faults.brokenWatchRate)) {
        onFault("response broken");
        throw new RetryableError("connection reset");
      }
      yield await process.call("receive from the API server", [0, 0], () =>
        faults.deletionsAtLastVersion ? atLastVersion(chunk) : chunk,
      );
    }
  }

  /** Returns an event of a watch, if it is a deletion, with the version of the object's last write. */
  function atLastVersion(chunk: Uint8Array): Uint8Array {
    const line = Buffer.from(chunk).toString();
    if (!line.startsWith('{"type":"DELETED"')) {
      return chunk;
    }
    const event = JSON.parse(line) as { readonly object: SimulatedObject };
    const { apiVersion, kind, metadata } = event.object;
    const api = cluster();
    const served = api.resources().find((each) => each.kind === kind && toApiVersion(each) === apiVersion);
    const key = toObjectKey(metadata.namespace ?? "", metadata.name);
    const last = served && api.store.get(resourceTypeKey(served), key, Number(metadata.resourceVersion) - 1);
    if (last === undefined) {
      return chunk;
    }
    onFault("deletion at last version");
    const object = { ...event.object, metadata: { ...metadata, resourceVersion: String(last.modRevision) } };
    return Buffer.from(`${JSON.stringify({ ...event, object })}\n`);
  }
}

/** Returns the answer of a fault; undefined if the request is answered normally. */
async function toFault(
  request: KubeRequest,
  { cluster, faults, random, onFault }: SimulatedKubeOptions,
): Promise<KubeResponse | undefined> {
  const { path } = request;
  const [, api, group = ""] = path.split("/");
  const fault = (name: Effect, answer: KubeResponse): KubeResponse => {
    onFault(name);
    return answer;
  };
  if (faults.isGone) {
    onFault("request refused: API server gone");
    throw new RetryableError("connect ECONNREFUSED");
  }
  if (faults.isUnauthorized) {
    return fault("answer 401", toStatus(401, "Unauthorized"));
  }
  if (path === "/readyz") {
    return faults.isStarting ? fault("not ready", toText(500, "[-]poststarthook failed")) : undefined;
  }
  if (api === "apis" && group !== "" && isHidden(faults, group)) {
    return fault("answer 404 of a group", toText(404, "404 page not found\n"));
  }
  if (path === "/apis" && (faults.isStarting || faults.hiddenGroups.size > 0)) {
    return fault("discovery partial", await withoutHidden(cluster, request, faults));
  }
  if (api === "apis" && faults.unavailableGroups.has(group)) {
    return fault("answer 503 of a group", toStatus(503, "ServiceUnavailable"));
  }
  if ([...faults.forbidden].some((resource) => path.split("/").includes(resource))) {
    return fault("answer 403", toStatus(403, "Forbidden"));
  }
  if (chance(random, faults.errorRate)) {
    return random.float() < 0.5
      ? fault("answer 500", toStatus(500, "InternalError"))
      : fault("answer 429", { ...toStatus(429, "TooManyRequests"), retryAfterMs: 1_000 });
  }
  const isSingle = /\/(configmaps|namespaces|widgets)\/[^/]+$/.test(path);
  if (isSingle && chance(random, faults.falseAbsenceRate)) {
    return fault("false 404", toText(404, "404 page not found\n"));
  }
  return undefined;
}

function isHidden({ isStarting, hiddenGroups }: ApiFaults, group: string): boolean {
  return isStarting || hiddenGroups.has(group);
}

async function withoutHidden(
  cluster: () => SimulatedCluster,
  request: KubeRequest,
  faults: ApiFaults,
): Promise<KubeResponse> {
  const response = await createSimulatedTransport(cluster()).get(NEVER, request);
  const chunks = await Array.fromAsync(response.body);
  const body = JSON.parse(Buffer.concat(chunks).toString()) as { groups: { name: string }[] };
  const groups = body.groups.filter(({ name }) => !isHidden(faults, name));
  return toText(200, JSON.stringify({ ...body, groups }));
}

/** Returns a function that removes the spec of the objects in a list or in the event of a watch. */
function abridge(onFault: (effect: Effect) => void): (value: unknown) => unknown {
  const shorten = (object: object): object => {
    if (!("spec" in object)) {
      return object;
    }
    onFault("object abridged");
    return { ...object, spec: {} };
  };
  return (value) => {
    const { items, object } = value as { readonly items?: readonly object[]; readonly object?: object };
    return {
      ...(value as object),
      ...(items !== undefined && { items: items.map(shorten) }),
      ...(object !== undefined && { object: shorten(object) }),
    };
  };
}

function toStatus(code: number, reason: string): KubeResponse {
  const status = { kind: "Status", apiVersion: "v1", status: "Failure", reason, code, message: reason };
  return toText(code, JSON.stringify(status));
}

function toText(status: number, text: string): KubeResponse {
  return {
    status,
    retryAfterMs: undefined,
    body: (async function* () {
      yield Buffer.from(text);
    })(),
  };
}
