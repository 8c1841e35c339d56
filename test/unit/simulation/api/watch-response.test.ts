import { beforeEach, describe, expect, it } from "vitest";
import { RetryableError } from "../../../../src/lib/errors.ts";
import { createSeededRandom } from "../../../../src/lib/random.ts";
import { SimulatedCluster } from "../../../../src/simulation/simulated-cluster.ts";
import { createSimulatedTransport } from "../../../../src/simulation/simulated-transport.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

interface WatchEvent {
  readonly type: string;
  readonly object: {
    readonly code?: number;
    readonly message?: string;
    readonly reason?: string;
    readonly metadata: { readonly name?: string; readonly resourceVersion?: string };
  };
}

describe("watches of the simulated cluster", () => {
  let clock: ManualClock;
  let cluster: SimulatedCluster;
  beforeEach(() => {
    clock = new ManualClock();
    cluster = new SimulatedCluster({ clock, random: createSeededRandom(1), maxWatchBacklog: 10 });
  });

  const put = (name: string): void => {
    if (cluster.get("configmaps", "a", name) === undefined) {
      cluster.create({ apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "a", name } });
    } else {
      cluster.update("configmaps", "a", name, (object) => ({ ...object, data: {} }));
    }
  };

  /** Opens a watch and reads its events as they arrive. */
  const open = async (query: Record<string, string>) => {
    const events: WatchEvent[] = [];
    const controller = new AbortController();
    const response = await createSimulatedTransport(cluster).get(controller.signal, {
      path: "/api/v1/configmaps",
      query: { watch: "1", ...query },
    });
    const ended = (async () => {
      for await (const line of response.body) {
        events.push(JSON.parse(Buffer.from(line).toString()));
      }
    })();
    await clock.advance(0);
    const names = (): (string | undefined)[] => events.map(({ object }) => object.metadata.name);
    return { events, names, ended, abort: () => controller.abort(new Error("enough")) };
  };

  it("send bookmarks every minute and shortly before their end, behind the events that they cover", async () => {
    const watch = await open({ resourceVersion: "1", allowWatchBookmarks: "true", timeoutSeconds: "90" });
    put("x");
    await clock.advance(60_000);
    put("y");
    await clock.advance(30_000);
    await watch.ended;
    expect(watch.events.map(({ type, object }) => `${type} ${object.metadata.resourceVersion}`)).toEqual([
      "ADDED 2",
      "BOOKMARK 2",
      "ADDED 3",
      "BOOKMARK 3",
    ]);
    expect(clock.pending).toBe(0);
    expect(cluster.watches).toBe(0);
  });

  it("send no bookmarks while these are disabled", async () => {
    cluster.faults.holdBookmarks = true;
    const watch = await open({ resourceVersion: "1", allowWatchBookmarks: "true", timeoutSeconds: "300" });
    await clock.advance(300_000);
    await watch.ended;
    expect(watch.events).toEqual([]);
  });

  it("never send a lost event, not even after a reconnect from before it", async () => {
    const watch = await open({ resourceVersion: "1", timeoutSeconds: "10" });
    cluster.faults.loseNextWatchEvent("configmaps");
    put("lost");
    put("sent");
    await clock.advance(10_000);
    await watch.ended;
    expect(watch.names()).toEqual(["sent"]);
    const again = await open({ resourceVersion: "1", timeoutSeconds: "10" });
    await clock.advance(10_000);
    await again.ended;
    expect(again.names()).toEqual(["sent"]);
    expect(cluster.get("configmaps", "a", "lost")).toBeDefined();
  });

  it("end with an ERROR event when their version is compacted", async () => {
    put("x");
    put("x");
    cluster.compact();
    const watch = await open({ resourceVersion: "1", allowWatchBookmarks: "true" });
    await watch.ended;
    expect(watch.events).toMatchObject([
      { type: "ERROR", object: { code: 410, reason: "Expired", message: "too old resource version: 1 (3)" } },
    ]);
    expect(clock.pending).toBe(0);
  });

  it("send events from before the first read once", async () => {
    const controller = new AbortController();
    const query = { watch: "1", resourceVersion: "1", timeoutSeconds: "10" };
    const transport = createSimulatedTransport(cluster);
    const { body } = await transport.get(controller.signal, { path: "/api/v1/configmaps", query });
    put("x");
    const lines = Array.fromAsync(body);
    await clock.advance(10_000);
    expect(await lines).toHaveLength(1);
  });

  it("from a future version begin when the cluster reaches it", async () => {
    const watch = await open({ resourceVersion: "3", timeoutSeconds: "10" });
    for (const name of ["before", "at", "after"]) {
      put(name);
    }
    await clock.advance(10_000);
    await watch.ended;
    expect(watch.names()).toEqual(["after"]);
  });

  it("continue after a compaction of revisions that they have passed", async () => {
    const watch = await open({ resourceVersion: "1", timeoutSeconds: "10" });
    put("x");
    cluster.compact();
    put("y");
    await clock.advance(10_000);
    await watch.ended;
    expect(watch.names()).toEqual(["x", "y"]);
  });

  it("are closed if they are too slow, instead of missing an event", async () => {
    const response = await createSimulatedTransport(cluster).get(new AbortController().signal, {
      path: "/api/v1/configmaps",
      query: { watch: "1", resourceVersion: "1" },
    });
    const body = response.body[Symbol.asyncIterator]();
    put("x");
    await body.next();
    for (let index = 0; index < 11; index += 1) {
      put("x");
    }
    const rest = Array.fromAsync({ [Symbol.asyncIterator]: () => body });
    await expect(rest).rejects.toThrow(RetryableError);
    expect(cluster.watches).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it("break with their connections and at a restore of etcd", async () => {
    for (const fault of [() => cluster.breakWatches(), () => cluster.restore(1)]) {
      const watch = await open({ resourceVersion: "1" });
      const ended = expect(watch.ended).rejects.toThrow(RetryableError);
      fault();
      await ended;
    }
    expect(cluster.watches).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it("release everything when the client disconnects, even before its first read", async () => {
    const watch = await open({ resourceVersion: "1" });
    const ended = expect(watch.ended).rejects.toThrow("enough");
    watch.abort();
    await ended;
    const controller = new AbortController();
    const query = { watch: "1" };
    await createSimulatedTransport(cluster).get(controller.signal, { path: "/api/v1/configmaps", query });
    controller.abort();
    expect(cluster.watches).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it("send the deletions of custom objects with their definition, and no events after that", async () => {
    const names = { plural: "widgets", singular: "widget", kind: "Widget" };
    const spec = { group: "example.com", scope: "Cluster", names, versions: [{ name: "v1", served: true }] };
    const metadata = { name: "widgets.example.com" };
    cluster.create({
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata,
      spec,
    });
    cluster.create({ apiVersion: "example.com/v1", kind: "Widget", metadata: { name: "w" } });
    cluster.delete("customresourcedefinitions.apiextensions.k8s.io", "", metadata.name);
    expect(cluster.eventsAfter("widgets.example.com", 1).map(({ value }) => value?.metadata.name)).toEqual([
      "w",
      undefined,
    ]);
    const path = "/apis/example.com/v1/widgets";
    const response = await createSimulatedTransport(cluster).get(new AbortController().signal, { path });
    expect(response.status).toBe(404);
  });
});
