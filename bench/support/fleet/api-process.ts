import { setTimeout as sleep } from "node:timers/promises";
import { createSystemClock } from "../../../src/lib/clock.ts";
import { createSilentLog } from "../../../src/lib/log.ts";
import { createSystemRandom } from "../../../src/lib/random.ts";
import { createApiServer } from "../../../src/simulation/api-server.ts";
import { SimulatedCluster } from "../../../src/simulation/simulated-cluster.ts";
import type { SimulatedObject } from "../../../src/simulation/simulated-object.ts";
import { configMapObject, namespaceObject } from "../../../src/simulation/workload-objects.ts";
import { createPod } from "../create-pod.ts";
import { FLEET_RESOURCES, type FleetApiOrder, type FleetApiReport, type ObjectState } from "./messages.ts";
import { type RowSampler, startRowSampler } from "./row-sampler.ts";

/** Changes are sampled. It has no common factor with the number of clusters, so the samples are of all clusters. */
const SAMPLE_EVERY = 7;

/** Every 19th change of a pod deletes it and creates another one: no common factor with the number of clusters. */
const REPLACE_EVERY = 19;
const CONFIG_MAP_SHARE = 10;

/** A cluster with its objects as they were last written: a list of the cluster costs more, the more objects it has. */
interface ChangingCluster {
  readonly account: string;
  readonly name: string;
  readonly cluster: SimulatedCluster;
  readonly contentBytes: number;
  readonly written: ObjectState[];
  created: number;
}

const clusters: ChangingCluster[] = [];
let changing: AbortController | undefined;
let sampler: RowSampler | undefined;

process.on("message", async (order: FleetApiOrder) => {
  switch (order.type) {
    case "create":
      report({ type: "created", urls: await createClusters(order) });
      break;
    case "change":
      changing = new AbortController();
      report({ type: "stopped", ...(await change(changing.signal, order.everyMs)) });
      break;
    case "stop":
      changing?.abort();
      break;
    case "sample":
      report({ type: "sampled", ...(sampler?.take() ?? { latencies: [], waiting: 0 }) });
      break;
    case "list":
      for (const { name, cluster } of clusters) {
        const objects = FLEET_RESOURCES.flatMap((resource) =>
          cluster.list(resource).map((object) => toState(resource, object)),
        );
        report({ type: "objects", cluster: name, objects });
      }
      break;
    default:
      order satisfies never;
  }
});
process.on("disconnect", () => process.exit());

async function createClusters(
  order: Extract<FleetApiOrder, { type: "create" }>,
): Promise<Record<string, string>> {
  const urls: Record<string, string> = {};
  const { contentBytes } = order;
  sampler = await startRowSampler(order.databaseUrl);
  for (const { account, cluster: name } of order.clusters) {
    // Not seeded: clusters differ in the uids of their objects, and in their own.
    const cluster = new SimulatedCluster({ clock: createSystemClock(), random: createSystemRandom() });
    cluster.create(namespaceObject("kube-system"));
    const each: ChangingCluster = { account, name, cluster, contentBytes, written: [], created: 0 };
    for (let index = 0; index < order.objects; index += 1) {
      const isMap = index % CONFIG_MAP_SHARE === 0;
      each.written.push(isMap ? addConfigMap(each) : addPod(each));
    }
    clusters.push(each);
    const server = await createApiServer(new AbortController().signal, { cluster, log: createSilentLog() });
    urls[name] = server.url;
  }
  return urls;
}

function addPod(each: ChangingCluster): ObjectState {
  return toState("pods", each.cluster.create(createPod(each.created++, each.contentBytes)));
}

function addConfigMap(each: ChangingCluster): ObjectState {
  const object = configMapObject("default", `settings-${each.created++}`, { value: each.name });
  return toState("configmaps", each.cluster.create(object));
}

/** Changes objects until the signal. Each change has its time, so a late one does not delay the next. */
async function change(signal: AbortSignal, everyMs: number): Promise<{ changes: number; seconds: number }> {
  const started = performance.now();
  let changes = 0;
  for (let turn = 0; !signal.aborted; turn += 1) {
    const wait = started + changes * everyMs - performance.now();
    if (wait > 0) {
      await sleep(wait);
    }
    const each = clusters[turn % clusters.length];
    const place = Math.floor(turn / clusters.length);
    if (each !== undefined) {
      changes += changeOne(each, place % each.written.length, turn);
    }
  }
  return { changes, seconds: (performance.now() - started) / 1000 };
}

/** Returns the number of writes. */
function changeOne(each: ChangingCluster, place: number, turn: number): number {
  const before = each.written[place];
  if (before === undefined) {
    throw new Error(`cluster "${each.name}": expected an object at place ${place}, found none`);
  }
  const [resource, namespace, name] = before;
  const isReplaced = resource === "pods" && turn % REPLACE_EVERY === 0;
  if (isReplaced) {
    each.cluster.delete(resource, namespace, name);
  }
  const at = performance.now();
  const state = isReplaced ? addPod(each) : update(each, before, turn);
  each.written[place] = state;
  if (turn % SAMPLE_EVERY === 0) {
    sampler?.add({ account: each.account, cluster: each.name, state, at });
  }
  return isReplaced ? 2 : 1;
}

function update({ cluster }: ChangingCluster, before: ObjectState, turn: number): ObjectState {
  const [resource, namespace, name] = before;
  const changed = cluster.update(resource, namespace, name, (old) => ({
    ...old,
    metadata: { ...old.metadata, annotations: { "bench.example.com/turn": String(turn) } },
  }));
  return toState(resource, changed);
}

function toState(resource: string, { metadata }: SimulatedObject): ObjectState {
  const { namespace = "", name, uid = "", resourceVersion = "" } = metadata;
  return [resource, namespace, name, uid, resourceVersion];
}

function report(message: FleetApiReport): void {
  process.send?.(message);
}
