import { describe, expect, it } from "vitest";
import { ReconciliationTrigger } from "../../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { ownObservedVersionOf } from "../../../../src/domain/observations.ts";
import { ClusterChangedError } from "../../../../src/kube/api-server.ts";
import { AgentWorld } from "../../../support/agent/agent-world.ts";
import { isList, rewrite } from "../../../support/agent/intercept.ts";
import { ReflectorWorld } from "../../../support/agent/reflector-world.ts";

const CONNECT = ReconciliationTrigger.CONNECT;

describe("a reflector", () => {
  it("lists again for the run on connect of a later session, which was asked for after the first list", async () => {
    await using world = new AgentWorld();
    world.configMap("a", "1");
    await world.start();
    world.backend.disconnect();
    await world.advance(60_000);
    world.backend.ask("configmaps", { trigger: CONNECT });
    await world.advance(2_000);
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
    expect(world.agent.counters).toMatchObject({ sessions: 2, lists: 2, comparisonsSucceeded: 1 });
  });

  it("only lists a resource type whose versions do not compare, and sends no observed version (R17)", async () => {
    await using world = new AgentWorld();
    world.configMap("a", "1");
    world.intercept = async ({ path }, go) => {
      const response = await go();
      return path.includes("/configmaps")
        ? {
            ...response,
            body: rewrite(response.body, /"resourceVersion":"(\d+)"/g, '"resourceVersion":"v-$1"'),
          }
        : response;
    };
    await world.start();
    world.backend.ask("configmaps", { trigger: CONNECT });
    await world.advance(2_000);
    expect(world.agent.counters.watches).toBe(0);
    expect(world.backend.reconciled.at(-1)).toMatchObject({ listVersion: "", put: 1n });
    const put = world.backend.rows.get("configmaps")?.get("default/a")?.put;
    expect(put).toMatchObject({ observedVersion: "", resourceVersion: expect.stringMatching(/^v-\d+$/) });
    world.backend.ask("configmaps");
    await world.advance(2_000);
    expect(world.backend.reconciled.at(-1)).toMatchObject({ equal: 1n, put: 0n });
  });

  it("waits for its first list as long as the API server asks (L5)", async () => {
    await using world = new AgentWorld();
    const lists = () => world.requests.filter((url) => url.includes("/configmaps?limit")).length;
    world.cluster.faults.forceResponse({
      status: 429,
      reason: "TooManyRequests",
      retryAfterSeconds: 120,
      matches: (url) => url.includes("/configmaps?limit"),
    });
    await world.start();
    await world.advance(110_000);
    expect(lists()).toBe(1);
    await world.advance(20_000);
    expect(lists()).toBe(2);
    expect(world.agent.counters.lists).toBe(1);
  });

  it("sends no object of its first list, and every change after it", async () => {
    await using world = new ReflectorWorld();
    world.configMap("a");
    const reflector = await world.start();
    expect([...reflector.index.keys()]).toEqual(["default/a"]);
    world.configMap("b");
    await world.clock.advance(100);
    expect(world.sent).toEqual(["putObject default/b"]);
  });

  it("sends every object of its first list with sendAll", async () => {
    await using world = new ReflectorWorld();
    world.configMap("a");
    world.configMap("b");
    await world.start({ sendAll: true });
    await world.clock.advance(100);
    expect(world.sent).toEqual(["putObject default/a", "putObject default/b"]);
  });

  it("lists and watches only the namespaces that are read", async () => {
    await using world = new ReflectorWorld();
    for (const namespace of ["one", "two", "three"]) {
      world.configMap("a", namespace);
    }
    const reflector = await world.start({ namespaces: ["one", "two"] });
    expect([...reflector.index.keys()].toSorted()).toEqual(["one/a", "two/a"]);
    world.configMap("b", "two");
    world.configMap("b", "three");
    await world.clock.advance(100);
    expect(world.sent).toEqual(["putObject two/b"]);
    expect(world.counters.watches).toBe(2);
  });

  it("does not watch a resource type that cannot be watched", async () => {
    await using world = new ReflectorWorld();
    const reflector = await world.start({ isWatchable: false });
    world.configMap("a");
    await world.clock.advance(60_000);
    expect(world.counters).toMatchObject({ lists: 1, watches: 0 });
    const { snapshot } = await reflector.snapshot(world.stop.signal, { reuseInitial: false });
    expect(snapshot.size).toBe(1);
  });

  it("gives its first list once, and only in the session in which it was begun", async () => {
    await using world = new ReflectorWorld();
    const { signal } = world.stop;
    const reflector = await world.start();
    const first = await reflector.snapshot(signal, { reuseInitial: true });
    expect(world.counters.lists).toBe(1);
    expect(await reflector.snapshot(signal, { reuseInitial: true })).not.toBe(first);
    expect(world.counters.lists).toBe(2);

    await using later = new ReflectorWorld();
    const other = await later.start();
    later.epoch = 2n;
    await other.snapshot(signal, { reuseInitial: true });
    expect(later.counters.lists).toBe(2);
  });

  it("does not give a first list of an earlier incarnation (R16)", async () => {
    await using world = new ReflectorWorld();
    const reflector = await world.start();
    world.versions.restart(1n, 0n);
    await reflector.snapshot(world.stop.signal, { reuseInitial: true });
    expect(world.counters.lists).toBe(2);
  });

  it("refuses a list that was begun in an earlier incarnation (R16)", async () => {
    await using world = new ReflectorWorld();
    world.configMap("a");
    const reflector = await world.start();
    const { versions } = world;
    world.onAnswer = ({ path, query }) => {
      if (isList(path, query) && versions.incarnation === undefined) {
        versions.restart(1n, 1n);
      }
    };
    const { snapshot, incarnation } = await reflector.snapshot(world.stop.signal, { reuseInitial: false });
    expect(incarnation).toBe(versions.incarnationSignal);
    expect(world.counters.lists).toBe(3);
    expect(versions.highWatermark).toBe(BigInt(snapshot.lowestVersion));
  });

  it("lists again if a new incarnation begins while it reads what differs (R16)", async () => {
    await using world = new ReflectorWorld();
    world.configMap("a");
    world.onAnswer = ({ path }) => {
      if (path.endsWith("/configmaps/a") && world.versions.incarnation === undefined) {
        world.versions.restart(1n, 1n);
        world.cluster.update("configmaps", "default", "a", (object) => ({ ...object, data: { later: "" } }));
      }
    };
    await world.start({ sendAll: true });
    await world.clock.advance(5_000);
    expect(world.changes.map(({ incarnation }) => incarnation)).toEqual([1n]);
    expect(world.changes.map(({ item }) => ownObservedVersionOf(item))).toEqual([
      String(world.cluster.store.revision),
    ]);
  });

  it("throws the refusal of a snapshot when its first list failed, and lists again later", async () => {
    await using world = new ReflectorWorld();
    const matches = (url: string) => url.includes("/configmaps");
    world.cluster.faults.forceResponse({ status: 403, reason: "Forbidden", times: 2, matches });
    const reflector = await world.start();
    await expect(reflector.snapshot(world.stop.signal, { reuseInitial: true })).rejects.toMatchObject({
      reason: "Forbidden",
    });
    world.configMap("a");
    await world.clock.advance(60_000);
    expect([...reflector.index.keys()]).toEqual(["default/a"]);
  });

  it("ends when the API server turns into another cluster's (R40)", async () => {
    await using world = new ReflectorWorld();
    await world.start();
    world.cluster.delete("namespaces", "", "kube-system");
    world.cluster.create({ apiVersion: "v1", kind: "Namespace", metadata: { name: "kube-system" } });
    world.cluster.compact();
    world.cluster.faults.forceResponse({
      status: 410,
      reason: "Expired",
      matches: (url) => url.includes("watch=true"),
    });
    world.cluster.breakWatches();
    await world.clock.advance(60_000);
    await expect(world.ended).rejects.toThrow(ClusterChangedError);
  });

  it("waits for the watch until the deadline, and not at all for what it has delivered", async () => {
    await using world = new ReflectorWorld();
    const { signal } = world.stop;
    world.configMap("a");
    const reflector = await world.start();
    const delivered = BigInt(world.cluster.store.revision);
    await reflector.waitForWatch(signal, delivered, ["default/b"], 500);

    let isOver = false;
    const over = (): void => {
      isOver = true;
    };
    const waiting = reflector.waitForWatch(signal, delivered, ["default/a"], 500).then(over);
    await world.clock.advance(499);
    expect(isOver).toBe(false);
    await world.clock.advance(1);
    expect(isOver).toBe(true);
    await waiting;

    isOver = false;
    const next = reflector.waitForWatch(signal, delivered + 1n, [], 500).then(over);
    await world.clock.advance(100);
    expect(isOver).toBe(false);
    world.configMap("b");
    await world.clock.advance(100);
    expect(isOver).toBe(true);
    await next;
  });

  it("knows an object in the turn in which it sends it, and that a later list lacks it (R95)", async () => {
    await using world = new ReflectorWorld();
    const reflector = await world.start();
    const room = Promise.withResolvers<void>();
    world.room = room.promise;
    world.configMap("late");
    await world.clock.advance(100);
    world.cluster.delete("configmaps", "default", "late");
    const { snapshot: later } = await reflector.snapshot(world.stop.signal, { reuseInitial: false });
    const unlisted = () => reflector.unlisted(later).map(({ key }) => key);
    const atOffer: string[][] = [];
    world.onOffer = () => {
      queueMicrotask(() => atOffer.push(unlisted()));
    };
    expect(unlisted()).toEqual([]);
    room.resolve();
    await world.clock.advance(100);
    expect(world.sent).toEqual(["putObject default/late", "deleteObject default/late"]);
    expect(atOffer).toEqual([["default/late"], []]);
  });

  it("takes a list into its index, and keeps what the watch has delivered since", async () => {
    await using world = new ReflectorWorld();
    for (const name of ["changed", "gone", "kept"]) {
      world.configMap(name);
    }
    const reflector = await world.start();
    world.cluster.faults.loseNextWatchEvent("configmaps");
    world.cluster.delete("configmaps", "default", "gone");
    const { snapshot } = await reflector.snapshot(world.stop.signal, { reuseInitial: false });
    world.cluster.update("configmaps", "default", "changed", (object) => ({
      ...object,
      data: { value: "2" },
    }));
    world.configMap("new");
    await world.clock.advance(100);
    const watched = reflector.index.get("default/changed")?.resourceVersion;
    expect([...reflector.index.keys()]).toContain("default/gone");
    reflector.merge(snapshot, reflector.unlisted(snapshot));
    expect([...reflector.index.keys()].toSorted()).toEqual([
      "default/changed",
      "default/kept",
      "default/new",
    ]);
    expect(reflector.index.get("default/changed")?.resourceVersion).toBe(watched);
  });
});
