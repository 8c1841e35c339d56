import { describe, expect, it } from "vitest";
import { DEFAULT_AGENT_TUNING } from "../../../../src/agent/config.ts";
import { createAgentCounters } from "../../../../src/agent/metrics.ts";
import type { ResourceContext } from "../../../../src/agent/resource-context.ts";
import { RetryBudget } from "../../../../src/agent/retry-budget.ts";
import { listSnapshot } from "../../../../src/agent/watch/list-snapshot.ts";
import { type ReadResult, readContents } from "../../../../src/agent/watch/read-contents.ts";
import { ReadingMode } from "../../../../src/agent/watch/reading-mode.ts";
import { RestoreEvidence } from "../../../../src/agent/watch/restore-evidence.ts";
import { VersionTracker } from "../../../../src/agent/watch/version-tracker.ts";
import type { KubeRequest, KubeResponse } from "../../../../src/kube/kube.ts";
import { createSeededRandom } from "../../../../src/lib/random.ts";
import { SimulatedCluster } from "../../../../src/simulation/simulated-cluster.ts";
import { createSimulatedTransport } from "../../../../src/simulation/simulated-transport.ts";
import { respond } from "../../../support/agent/agent-world.ts";
import { rewrite } from "../../../support/agent/intercept.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { CONFIG_MAPS } from "../../../support/store/messages.ts";
import { createTestLog } from "../../../support/vitest/test-log.ts";

const { signal } = new AbortController();
const MAX_SINGLE_READS = 3;

type Intercept = (
  request: KubeRequest,
  go: () => Promise<KubeResponse>,
) => Promise<KubeResponse> | KubeResponse;

/** A reader of the ConfigMaps of a simulated cluster. */
function createReader(names: readonly string[]) {
  const clock = new ManualClock();
  const cluster = new SimulatedCluster({ clock, random: createSeededRandom(1) });
  const create = (key: string): void => {
    const [namespace = "", name = ""] = key.split("/");
    cluster.create({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { namespace, name },
      data: { value: "1" },
    });
  };
  names.forEach(create);
  const transport = createSimulatedTransport(cluster);
  const requests: string[] = [];
  const reader = { intercept: ((_request, go) => go()) as Intercept };
  const context = {
    ...{ clock, random: createSeededRandom(2), log: createTestLog(), counters: createAgentCounters() },
    failures: { failed: () => {}, worked: () => {}, noticed: () => {} },
    kube: {
      get: async (abort: AbortSignal, request: KubeRequest) => {
        requests.push(request.path);
        return await reader.intercept(request, () => transport.get(abort, request));
      },
    },
    tuning: { ...DEFAULT_AGENT_TUNING, maxSingleReads: MAX_SINGLE_READS },
    ...{ resourceType: CONFIG_MAPS, contentFormat: "f", versions: new VersionTracker() },
    evidence: new RestoreEvidence(clock),
  } as unknown as ResourceContext;
  const list = async (namespaces: readonly string[] = [""]) =>
    (await listSnapshot(signal, context, namespaces)).snapshot;
  /** Reads the selected objects, in texts such as "object a/x at 7". */
  const read = async (
    snapshot: Awaited<ReturnType<typeof list>>,
    selected: (key: string) => boolean = () => true,
    maxRetries = 0,
  ) => {
    const wanted = Uint8Array.from({ length: snapshot.size }, (_, at) =>
      selected(snapshot.keyAt(at)) ? 1 : 0,
    );
    const retries = new RetryBudget(context, { maxRetries, maxDelayMs: 1_000 });
    requests.length = 0;
    const results: ReadResult[] = [];
    const reading = (async () => {
      const options = { mode: new ReadingMode(context), retries };
      for await (const result of readContents(signal, context, { snapshot, wanted }, options)) {
        results.push(result);
      }
    })();
    reading.catch(() => {});
    await clock.advance(maxRetries * 10_000);
    await reading;
    return results;
  };
  const show = (snapshot: Awaited<ReturnType<typeof list>>, results: readonly ReadResult[]) =>
    results.map((result) => `${result.type} ${snapshot.keyAt(result.at)}`).toSorted();
  return Object.assign(reader, { cluster, context, create, list, read, show, requests });
}

const keysOf = (count: number, namespace = "a"): string[] =>
  Array.from({ length: count }, (_, index) => `${namespace}/c${String(index).padStart(2, "0")}`);
const isRead = ({ path }: KubeRequest): boolean => /\/configmaps\/./.test(path);
const versionsOf = (results: readonly ReadResult[]) =>
  results.map((result) => (result.type === "object" ? result.observedVersion : undefined));

describe("contents that are read one by one", () => {
  it.each([
    ["fail if the list has the object", 200, ["failed a/c00"]],
    ["end if the list answers 404 too: the definition was removed", 404, undefined],
  ])("after a 404 that proves nothing %s (R51)", async (_, listStatus, expected) => {
    const reader = createReader(["a/c00"]);
    const snapshot = await reader.list();
    const notServed = async () => ({
      ...{ status: 404, retryAfterMs: undefined, contentType: "text/plain" },
      body: (async function* () {
        yield Buffer.from("404 page not found");
      })(),
    });
    reader.intercept = (request, go) => (isRead(request) || listStatus === 404 ? notServed() : go());
    if (expected === undefined) {
      await expect(reader.read(snapshot)).rejects.toMatchObject({ reason: "NotFound" });
    } else {
      expect(reader.show(snapshot, await reader.read(snapshot))).toEqual(expected);
    }
  });

  it("are those of the selected objects", async () => {
    const reader = createReader(keysOf(5));
    const snapshot = await reader.list();
    const results = await reader.read(snapshot, (key) => ["a/c01", "a/c03"].includes(key));
    expect(reader.show(snapshot, results)).toEqual(["object a/c01", "object a/c03"]);
    expect(results[0]).toMatchObject({
      state: { object: { metadata: { name: "c01" }, data: { value: "1" } } },
    });
    expect(reader.requests).toHaveLength(2);
  });

  it("were observed at the version of the list, or at their own if that is later", async () => {
    const reader = createReader(["a/changed", "a/same"]);
    const snapshot = await reader.list();
    reader.cluster.update("configmaps", "a", "changed", (object) => ({ ...object, data: { value: "2" } }));
    const later = String(reader.cluster.store.revision);
    expect(versionsOf(await reader.read(snapshot))).toEqual([later, snapshot.lowestVersion]);
    expect(BigInt(later)).toBeGreaterThan(BigInt(snapshot.lowestVersion));
  });

  it("lack an object that no longer exists, and one that cannot be read", async () => {
    const reader = createReader(["a/forbidden", "a/gone", "a/kept"]);
    const snapshot = await reader.list();
    reader.cluster.delete("configmaps", "a", "gone");
    reader.intercept = ({ path }, go) => (path.endsWith("/forbidden") ? respond(403) : go());
    const results = await reader.read(snapshot);
    expect(reader.show(snapshot, results)).toEqual([
      "failed a/forbidden",
      "notFound a/gone",
      "object a/kept",
    ]);
    expect(results[0]).toMatchObject({ error: { reason: "Forbidden" } });
  });

  it("that are nested too deep have the identity of the list, and the problem", async () => {
    const reader = createReader(["a/deep", "a/kept"]);
    const snapshot = await reader.list();
    const deep = `"data":${'{"a":'.repeat(20_000)}1.5${"}".repeat(20_000)}`;
    reader.intercept = async ({ path }, go) => {
      const response = await go();
      const isDeep = path.endsWith("/deep");
      return isDeep ? { ...response, body: rewrite(response.body, /"data":\{[^}]*\}/g, deep) } : response;
    };
    const [first, second] = await reader.read(snapshot);
    const { uid, resourceVersion } = snapshot.at(0);
    expect(first).toEqual({
      ...{ type: "object", at: 0, observedVersion: snapshot.lowestVersion },
      state: {
        object: { metadata: { namespace: "a", name: "deep", uid, resourceVersion } },
        problem: expect.stringContaining("nested too deep"),
      },
    });
    expect(second).not.toHaveProperty("state.problem");
  });

  it("end with the error of the API server if no retry is left", async () => {
    const reader = createReader(keysOf(2));
    const snapshot = await reader.list();
    reader.intercept = () => respond(503);
    await expect(reader.read(snapshot, undefined, 2)).rejects.toThrow("503");
    expect(reader.requests).toHaveLength(1 + 2);
  });
});

describe("contents that are read by pages", () => {
  it.each([
    ["as many as are read one by one", 20, MAX_SINGLE_READS, false],
    ["one more", 20, MAX_SINGLE_READS + 1, true],
    ["one more, but only a tenth of the list", 40, MAX_SINGLE_READS + 1, false],
    ["more than a tenth of the list", 49, 5, true],
  ])("are %s: of %i objects %i", async (_, size, count, isPaged) => {
    const reader = createReader(keysOf(size));
    const snapshot = await reader.list();
    const selected = keysOf(count);
    const results = await reader.read(snapshot, (key) => selected.includes(key));
    expect(reader.show(snapshot, results)).toEqual(selected.map((key) => `object ${key}`));
    // A page, and one read to compare with.
    expect(reader.requests).toHaveLength(isPaged ? 2 : count);
  });

  it("were observed at the version of their list, and those it lacks are not listed", async () => {
    const reader = createReader(keysOf(10));
    const snapshot = await reader.list();
    reader.cluster.delete("configmaps", "a", "c05");
    reader.create("a/new");
    const listVersion = String(reader.cluster.store.revision);
    const results = await reader.read(snapshot);
    const missing = results.filter(({ type }) => type === "notListed");
    expect(missing).toEqual([{ type: "notListed", at: snapshot.find("a/c05"), listVersion }]);
    expect(new Set(versionsOf(results))).toEqual(new Set([listVersion, undefined]));
    expect(results).toHaveLength(10);
  });

  it("are read in each namespace, and missing in their own only", async () => {
    const reader = createReader([...keysOf(5, "a"), ...keysOf(5, "b")]);
    const snapshot = await reader.list(["a", "b"]);
    reader.cluster.delete("configmaps", "b", "c02");
    const results = await reader.read(snapshot);
    expect(results).toHaveLength(10);
    expect(reader.show(snapshot, results).filter((text) => !text.startsWith("object"))).toEqual([
      "notListed b/c02",
    ]);
  });

  it("have no version if those of the resource type do not compare", async () => {
    const reader = createReader(keysOf(5));
    const rename: Intercept = async (_request, go) => {
      const response = await go();
      return {
        ...response,
        body: rewrite(response.body, /"resourceVersion":"(\d+)"/g, '"resourceVersion":"v$1"'),
      };
    };
    reader.intercept = rename;
    const snapshot = await reader.list();
    expect(versionsOf(await reader.read(snapshot))).toEqual(["", "", "", "", ""]);
    expect(versionsOf(await reader.read(snapshot, (key) => key === "a/c01"))).toEqual([""]);
  });

  it("of a read that is older than the list are read again (R6)", async () => {
    const reader = createReader(keysOf(2));
    const snapshot = await reader.list();
    let stale = 1;
    reader.intercept = async (request, go) => {
      const response = await go();
      return isRead(request) && stale-- > 0
        ? { ...response, body: rewrite(response.body, /"resourceVersion":"\d+"/g, '"resourceVersion":"1"') }
        : response;
    };
    const first = (key: string): boolean => key === "a/c00";
    expect(versionsOf(await reader.read(snapshot, first, 1))).toEqual([snapshot.versionFor("")]);
    stale = 1;
    await expect(reader.read(snapshot, first, 0)).rejects.toThrow(
      /^get of a\/c00: expected version \d+ or higher, found 1; a cache may have answered$/,
    );
  });

  it("of a list from before the snapshot are refused", async () => {
    const reader = createReader(keysOf(5));
    const snapshot = await reader.list();
    reader.intercept = async (request, go) => {
      const response = await go();
      const isList = !isRead(request);
      return isList
        ? { ...response, body: rewrite(response.body, /"resourceVersion":"\d+"/g, '"resourceVersion":"1"') }
        : response;
    };
    await expect(reader.read(snapshot)).rejects.toThrow(/^list: expected version \d+ or higher, found 1$/);
  });

  it("are read again after a failure, without those that were read before", async () => {
    const reader = createReader([...keysOf(5, "a"), ...keysOf(5, "b")]);
    const snapshot = await reader.list(["a", "b"]);
    let failures = 1;
    reader.intercept = ({ path }, go) =>
      path.endsWith("/b/configmaps") && failures-- > 0 ? respond(503) : go();
    const results = await reader.read(snapshot, undefined, 1);
    expect(reader.show(snapshot, results)).toEqual(
      [...keysOf(5, "a"), ...keysOf(5, "b")].map((key) => `object ${key}`),
    );
    await expect(reader.read(snapshot, undefined, 0)).resolves.toHaveLength(10);
  });

  it.each([
    ["abridged", /"data":\{[^}]*\}/g, '"data":{}'],
    ["nested too deep", /"data":\{[^}]*\}/g, `"data":${'{"a":'.repeat(20_000)}1.5${"}".repeat(20_000)}`],
  ])("are read one by one if the list is %s", async (_, pattern, replacement) => {
    const reader = createReader(keysOf(5));
    const snapshot = await reader.list();
    reader.intercept = async (request, go) => {
      const response = await go();
      return isRead(request) ? response : { ...response, body: rewrite(response.body, pattern, replacement) };
    };
    const results = await reader.read(snapshot);
    expect(reader.show(snapshot, results)).toEqual(keysOf(5).map((key) => `object ${key}`));
    for (const result of results) {
      expect(result).toMatchObject({ state: { object: { data: { value: "1" } } } });
    }
  });

  it("are compared with reads until one decides, at most five times", async () => {
    const reader = createReader(keysOf(9));
    const snapshot = await reader.list();
    reader.intercept = (request, go) => (isRead(request) ? respond(403) : go());
    expect(await reader.read(snapshot)).toHaveLength(9);
    expect(reader.requests).toHaveLength(1 + 5);
  });
});
