import { describe, expect, it } from "vitest";
import { ReconciliationTrigger } from "../../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { ownObservedVersionOf } from "../../../../src/domain/observations.ts";
import { AgentWorld, respond } from "../../../support/agent/agent-world.ts";
import { isList, rewrite } from "../../../support/agent/intercept.ts";
import { rewriteJson } from "../../../support/agent/rewrite-json.ts";
import { syncedWorld } from "../../../support/agent/synced-world.ts";

const CONNECT = ReconciliationTrigger.CONNECT;

describe("a watch", () => {
  it("sends changes as they happen, without another list", async () => {
    await using world = new AgentWorld();
    await world.start();
    world.configMap("a", "1");
    world.configMap("b", "1");
    world.configMap("a", "2");
    world.cluster.delete("configmaps", "default", "b");
    await world.advance();
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
    expect(world.agent.counters.lists).toBe(1);
  });

  it("loses nothing that is written between list and watch (R8)", async () => {
    await using world = new AgentWorld();
    world.configMap("a", "1");
    let lists = 0;
    world.intercept = async ({ path, query }, go) => {
      const response = await go();
      if (isList(path, query) && ++lists === 1) {
        world.configMap("b", "1");
        world.cluster.delete("configmaps", "default", "a");
      }
      return response;
    };
    await world.start();
    world.backend.ask("configmaps", { trigger: CONNECT });
    await world.advance(2_000);
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
  });

  it("lists again after 410, and sends what happened meanwhile (R8)", async () => {
    await using world = await syncedWorld(["a", "b", "c"]);
    world.intercept = ({ query }, go) => (query?.["watch"] === undefined ? go() : respond(503));
    world.cluster.breakWatches();
    await world.advance(1_000);
    world.cluster.delete("configmaps", "default", "a");
    world.configMap("b", "2");
    world.configMap("d", "1");
    world.cluster.compact();
    world.intercept = (_request, go) => go();
    await world.advance(60_000);
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
    expect(world.agent.counters.lists).toBe(2);
  });

  it("states with each deletion from a list how many objects the list lacks, less the new ones (R91)", async () => {
    await using world = await syncedWorld(["a", "b", "c", "d"]);
    world.intercept = ({ query }, go) => (query?.["watch"] === undefined ? go() : respond(503));
    world.cluster.breakWatches();
    await world.advance(1_000);
    for (const name of ["a", "b", "c"]) {
      world.cluster.delete("configmaps", "default", name);
    }
    world.configMap("e", "1");
    world.cluster.compact();
    world.intercept = (_request, go) => go();
    const sent = world.backend.received.length;
    await world.advance(60_000);
    const missing = world.backend.received
      .slice(sent)
      .flatMap(({ message }) => (message.case === "batch" ? message.value.items : []))
      .flatMap(({ message }) => (message.case === "deleteObject" ? message.value.missing : []));
    expect(missing).toEqual([2n, 2n, 2n]);
  });

  it("goes on from the version of a bookmark, which proves nothing about objects (R9)", async () => {
    await using world = await syncedWorld(["a"]);
    const sent = world.backend.received.length;
    world.cluster.create({
      apiVersion: "v1",
      kind: "Secret",
      metadata: { namespace: "default", name: "other" },
    });
    await world.advance(120_000);
    const bookmarked = String(world.cluster.store.revision);
    expect(world.agent.counters.events).toBeGreaterThan(0);
    world.cluster.breakWatches();
    await world.advance(30_000);
    expect(world.requests.findLast((url) => url.includes("watch=true"))).toContain(
      `resourceVersion=${bookmarked}`,
    );
    expect(world.backend.received.length).toBe(sent);
    expect(world.agent.counters.lists).toBe(1);
  });

  it("does not send an event again that a new list has already shown", async () => {
    await using world = await syncedWorld(["a"]);
    world.intercept = ({ query }, go) => (query?.["watch"] === undefined ? go() : respond(503));
    world.cluster.breakWatches();
    await world.advance(1_000);
    world.configMap("a", "2");
    world.cluster.compact();
    let reads = 0;
    world.intercept = ({ path }, go) => {
      if (path.endsWith("/configmaps/a") && ++reads === 1) {
        world.configMap("a", "3");
        world.configMap("a", "4");
      }
      return go();
    };
    const sent = world.backend.received.length;
    await world.advance(60_000);
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
    const versions = world.backend.received
      .slice(sent)
      .flatMap(({ message }) =>
        message.case === "batch" ? message.value.items.map((item) => BigInt(ownObservedVersionOf(item))) : [],
      );
    expect(versions.length).toBeGreaterThan(0);
    expect(new Set(versions).size).toBe(1);
  });

  it("begins a new incarnation when an etcd is restored under it, and converges (R16)", async () => {
    await using world = await syncedWorld(["a", "b"]);
    const backup = world.cluster.store.revision;
    world.configMap("a", "old timeline");
    world.configMap("gone", "1");
    for (let i = 0; i < 5; i++) {
      world.configMap("b", `old ${i}`);
    }
    await world.advance();
    world.cluster.restore(backup);
    // The same version numbers as before, for other writes.
    world.configMap("a", "new timeline");
    await world.advance(60_000);
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
    expect(world.backend.incarnations.get("configmaps")).toBe(1n);
    world.configMap("b", "later");
    await world.advance();
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
    world.backend.ask("configmaps");
    await world.advance(2_000);
    expect(world.backend.reconciled.at(-1)).toMatchObject({
      equal: 2n,
      put: 0n,
      deleted: 0n,
      incarnation: 1n,
    });
  });

  it("begins a new incarnation within seconds when two resource types went back (R16)", async () => {
    await using world = new AgentWorld({ resources: ["configmaps", "namespaces"] });
    world.configMap("a", "1");
    await world.start();
    const keys = ["configmaps", "namespaces"];
    for (const key of keys) {
      world.backend.ask(key);
    }
    await world.advance(2_000);
    const backup = world.cluster.store.revision;
    for (let i = 0; i < 5; i++) {
      world.configMap("a", `old ${i}`);
      world.cluster.create({ apiVersion: "v1", kind: "Namespace", metadata: { name: `old-${i}` } });
    }
    await world.advance();
    world.cluster.restore(backup);
    await world.advance(8_000);
    for (const key of keys) {
      expect(world.backend.incarnations.get(key)).toBe(1n);
      expect(world.backend.contents(key)).toEqual(world.truth(key));
    }
  });

  it("begins another incarnation for each restore, also in one session, and converges (R16)", async () => {
    await using world = await syncedWorld(["a", "b"]);
    const backups: number[] = [];
    for (let round = 0; round < 3; round++) {
      backups.push(world.cluster.store.revision);
      for (let i = 0; i < 8; i++) {
        world.configMap("a", `round ${round}, change ${i}`);
      }
      await world.advance(1_000);
    }
    // Each backup is older than the one before.
    for (const [round, backup] of backups.toReversed().entries()) {
      world.cluster.restore(backup);
      world.configMap("a", `timeline ${round}`);
      await world.advance(60_000);
      world.backend.ask("configmaps");
      await world.advance(60_000);
      expect(world.backend.contents("configmaps")).toEqual(world.truth());
    }
    const incarnation = world.backend.incarnations.get("configmaps") ?? 0n;
    expect(incarnation).toBe(world.backend.epoch);
    expect(world.agent.counters.sessions).toBe(3);
  });

  it("reads objects whose version a restored etcd assigned again before the second list (R16)", async () => {
    await using world = await syncedWorld(["a", "b"]);
    const backup = world.cluster.store.revision;
    world.configMap("a", "first history");
    await world.advance();
    let lists = 0;
    world.intercept = async ({ path, query }, go) => {
      const response = await go();
      if (isList(path, query) && ++lists === 1) {
        world.configMap("a", "second history");
      }
      return response;
    };
    world.cluster.restore(backup);
    await world.advance(20_000);
    expect(lists).toBe(2);
    expect(world.backend.incarnations.get("configmaps")).toBeUndefined();
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
    // A run reads them once more: its own list may have been from the first history.
    for (const put of [1n, 0n]) {
      world.backend.ask("configmaps");
      await world.advance(2_000);
      expect(world.backend.reconciled.at(-1)).toMatchObject({ equal: 2n - put, put, deleted: 0n });
    }
  });

  it("reads them also if the versions passed the mark before the first list (R16)", async () => {
    await using world = await syncedWorld(["a", "b"]);
    const backup = world.cluster.store.revision;
    world.configMap("a", "first history");
    await world.advance();
    let isProbed = false;
    world.intercept = async ({ path, query }, go) => {
      const response = await go();
      if (path.endsWith("/configmaps") && query?.["limit"] === "1" && !isProbed) {
        isProbed = true;
        world.configMap("a", "second history");
      }
      return response;
    };
    world.cluster.restore(backup);
    await world.advance(20_000);
    expect(isProbed).toBe(true);
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
  });

  it("goes on after its end where it stopped, without another list", async () => {
    await using world = await syncedWorld(["a"]);
    world.configMap("a", "2");
    await world.advance();
    const stopped = world.cluster.store.revision;
    world.cluster.breakWatches();
    world.configMap("b", "1");
    await world.advance(30_000);
    expect(world.requests.findLast((url) => url.includes("watch=true"))).toContain(
      `resourceVersion=${stopped}&`,
    );
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
    expect(world.agent.counters.lists).toBe(1);
  });

  it("resumes at its first version when it delivered nothing, without another list", async () => {
    await using world = await syncedWorld(["a"]);
    world.cluster.breakWatches();
    await world.advance(5_000);
    world.configMap("b", "1");
    await world.advance(1_000);
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
    expect(world.agent.counters).toMatchObject({ lists: 1, watches: 2 });
  });

  it("waits as long as the API server asks before it goes on", async () => {
    await using world = await syncedWorld(["a"]);
    const matches = (url: string) => url.includes("/configmaps") && url.includes("watch=true");
    const count = () => world.requests.filter(matches).length;
    world.cluster.faults.forceResponse({
      status: 429,
      reason: "TooManyRequests",
      retryAfterSeconds: 120,
      matches,
    });
    world.cluster.breakWatches();
    await world.advance(60_000);
    const before = count();
    await world.advance(50_000);
    expect(count()).toBe(before);
    await world.advance(30_000);
    expect(count()).toBe(before + 1);
  });

  it("lists after events whose version is no number, and loses nothing (R53)", async () => {
    await using world = await syncedWorld(["a"]);
    let isBroken = true;
    world.intercept = async ({ query }, go) => {
      const response = await go();
      return isBroken && query?.["watch"] !== undefined
        ? { ...response, body: rewrite(response.body, /"resourceVersion":"\d+"/g, '"resourceVersion":"x"') }
        : response;
    };
    world.cluster.breakWatches();
    await world.advance(2_000);
    world.configMap("b", "1");
    await world.advance(10_000);
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
    isBroken = false;
    world.configMap("c", "1");
    await world.advance(60_000);
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
  });

  it.each([
    ["its last version", (last: string) => last],
    ["a version of long ago", () => "1"],
  ])("removes a row at once, also if the DELETED event has %s (R54)", async (_name, versionOf) => {
    await using world = await syncedWorld(["a", "b"]);
    world.intercept = async ({ query }, go) => {
      const response = await go();
      return query?.["watch"] === undefined ? response : rewriteJson(response, withOldVersion);
    };
    const last = new Map<string, string>();
    const withOldVersion = (served: unknown): unknown => {
      const { type, object } = served as {
        type: string;
        object: { metadata: { name: string; resourceVersion: string } };
      };
      const { name, resourceVersion } = object.metadata;
      if (type !== "DELETED") {
        last.set(name, resourceVersion);
        return served;
      }
      const old = { ...object.metadata, resourceVersion: versionOf(last.get(name) ?? "2") };
      return { type, object: { ...object, metadata: old } };
    };
    world.cluster.breakWatches();
    await world.advance(2_000);
    world.configMap("a", "2");
    world.configMap("b", "2");
    world.configMap("b", "3");
    await world.advance(1_000);
    // A run observes the row of "a" at the version of its list, above the object's own.
    world.backend.rows.get("configmaps")?.delete("default/a");
    world.backend.ask("configmaps");
    await world.advance(2_000);
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
    world.cluster.delete("configmaps", "default", "a");
    await world.advance(1_000);
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
    expect(Object.keys(world.backend.contents("configmaps"))).toEqual(["default/b"]);
  });

  it.each([
    ["it was deleted", false, ["default/b"]],
    ["it was deleted and created again", true, ["default/a", "default/b"]],
  ])(
    "sends no Put of a run after the DELETED event of its object with an old version: %s (R54)",
    async (_name, again, left) => {
      await using world = await syncedWorld(["a", "b"]);
      let isListed = false;
      world.intercept = async ({ path, query }, go) => {
        const response = await go();
        if (query?.["watch"] !== undefined) {
          return rewriteJson(response, (served) => {
            const event = served as { type: string; object: { metadata: object } };
            const metadata = { ...event.object.metadata, resourceVersion: "3" };
            return event.type === "DELETED" ? { ...event, object: { ...event.object, metadata } } : event;
          });
        }
        isListed ||= isList(path, query);
        if (path.endsWith("/configmaps/a") && isListed) {
          isListed = false;
          world.cluster.delete("configmaps", "default", "a");
          if (again) {
            world.configMap("a", "again");
          }
          // The response was made before the deletion, and the watch delivers that first.
          await world.clock.sleep(new AbortController().signal, 500);
        }
        return response;
      };
      world.cluster.breakWatches();
      await world.advance(2_000);
      world.backend.rows.get("configmaps")?.delete("default/a");
      const sent = world.backend.received.length;
      world.backend.ask("configmaps");
      await world.advance(5_000);
      expect(Object.keys(world.backend.contents("configmaps"))).toEqual(left);
      expect(world.backend.contents("configmaps")).toEqual(world.truth());
      expect(world.backend.reconciled.at(-1)).toMatchObject({ listed: 2n, equal: 1n, put: 0n, gone: 1n });
      const kinds = world.backend.received
        .slice(sent)
        .flatMap(({ message }) =>
          message.case === "batch" && message.value.run !== undefined
            ? message.value.items.map((item) => `${item.message.case} ${item.message.value?.ref?.name}`)
            : [],
        );
      expect(kinds).toEqual(["deleteObject a"]);
    },
  );

  it("keeps an object that is deleted and created again during a run, with old versions (R54)", async () => {
    await using world = await syncedWorld(["a", "b"]);
    world.intercept = async ({ path, query }, go) => {
      const response = await go();
      if (isList(path, query)) {
        world.cluster.delete("configmaps", "default", "a");
        world.configMap("a", "again");
      }
      return query?.["watch"] === undefined
        ? response
        : rewriteJson(response, (served) => {
            const event = served as { type: string; object: { metadata: object } };
            const metadata = { ...event.object.metadata, resourceVersion: "3" };
            return event.type === "DELETED" ? { ...event, object: { ...event.object, metadata } } : event;
          });
    };
    world.cluster.breakWatches();
    await world.advance(2_000);
    world.backend.ask("configmaps");
    await world.advance(5_000);
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
  });
});
