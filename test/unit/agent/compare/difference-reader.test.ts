import { describe, expect, it } from "vitest";
import { ReconciliationTrigger } from "../../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { DeleteReason } from "../../../../gen/proto/evenkeel/v1/object_pb.ts";
import type { ResourceReconciled } from "../../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import { AgentWorld, respond } from "../../../support/agent/agent-world.ts";
import { isList } from "../../../support/agent/intercept.ts";
import { syncedWorld } from "../../../support/agent/synced-world.ts";

const CONNECT = ReconciliationTrigger.CONNECT;
const NOT_FOUND = { kind: "Status", reason: "NotFound", code: 404, details: { name: "b" } };

/** Expects that each listed object counts in exactly one way. */
function expectSum(end: ResourceReconciled | undefined): void {
  const { equal = 0n, put = 0n, managed = 0n, gone = 0n, unrepresentable } = end ?? {};
  expect(end?.listed).toBe(equal + put + managed + gone + (unrepresentable?.count ?? 0n));
}

/** Returns the versions and reasons of the Deletes of runs. */
function runDeletes(world: AgentWorld) {
  return world.backend.received.flatMap(({ message }) =>
    message.case === "batch" && message.value.run !== undefined
      ? message.value.items.flatMap((item) =>
          item.message.case === "deleteObject" ? [item.message.value] : [],
        )
      : [],
  );
}

/** Lets ConfigMaps be listed and read, never watched. */
function listOnly(world: AgentWorld): void {
  const go = world.intercept;
  world.intercept = async (request, next) => {
    if (request.path !== "/api/v1") {
      return await go(request, next);
    }
    const resources = [{ name: "configmaps", kind: "ConfigMap", namespaced: true, verbs: ["get", "list"] }];
    return respond(200, { resources });
  };
}

describe("an object that was listed and cannot be read (R51)", () => {
  it.each([
    ["a text", 404, "404 page not found"],
    ["a page of a gateway", 404, "<html>"],
    ["a Status without name", 404, { ...NOT_FOUND, details: {} }],
    ["a Status that names another object", 404, { ...NOT_FOUND, details: { name: "other" } }],
    ["an answer that is no object", 200, {}],
    [
      "another object",
      200,
      { metadata: { name: "other", namespace: "default", uid: "u", resourceVersion: "1" } },
    ],
    ["a Status NotFound, although every list contains it", 404, NOT_FOUND],
  ])("fails its resource type for %s, and the others are repaired", async (_name, status, body) => {
    await using world = await syncedWorld(["a", "b", "c"]);
    world.backend.rows.get("configmaps")?.delete("default/b");
    world.backend.rows.get("configmaps")?.delete("default/c");
    world.intercept = ({ path }, go) => (path.endsWith("/configmaps/b") ? respond(status, body) : go());
    world.backend.ask("configmaps");
    await world.advance(60_000);
    expect(world.backend.reconciled.at(-1)?.failure).toMatchObject({
      reason: "Unread",
      message: expect.stringContaining('1 listed objects could not be read, the first is "default/b"'),
    });
    expect(Object.keys(world.backend.contents("configmaps"))).toEqual(["default/a", "default/c"]);
    world.intercept = (_request, go) => go();
    world.backend.ask("configmaps");
    await world.advance(2_000);
    expectSum(world.backend.reconciled.at(-1));
    expect(world.backend.reconciled.at(-1)?.failure).toBeUndefined();
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
  });

  it("is gone when the watch reports its deletion, ahead of the end", async () => {
    await using world = await syncedWorld(["a", "b"]);
    world.backend.rows.get("configmaps")?.delete("default/a");
    let isDeleted = false;
    world.intercept = ({ path }, go) => {
      if (path.endsWith("/configmaps/a") && !isDeleted) {
        isDeleted = true;
        world.cluster.delete("configmaps", "default", "a");
      }
      return go();
    };
    world.backend.ask("configmaps");
    await world.advance(5_000);
    const [end] = world.backend.reconciled.slice(-1);
    expect(end).toMatchObject({ listed: 2n, equal: 1n, put: 0n, gone: 1n, deleted: 0n });
    expect(end?.failure).toBeUndefined();
    expect(runDeletes(world)).toEqual([]);
    expect(world.agent.counters.lists).toBe(2);
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
  });

  it.each([
    ["is deleted", false],
    ["is deleted and created again", true],
  ])(
    "ends as the cluster has it, when its type is only listed and it %s between list and read",
    async (_, again) => {
      await using world = new AgentWorld();
      listOnly(world);
      for (const name of ["a", "b"]) {
        world.configMap(name, "1");
      }
      await world.start();
      world.backend.ask("configmaps", { trigger: CONNECT });
      await world.advance(2_000);
      expect(world.backend.contents("configmaps")).toEqual(world.truth());
      world.configMap("a", "2");
      const reads: string[] = [];
      const intercept = world.intercept;
      world.intercept = async (request, go) => {
        if (request.path.endsWith("/configmaps/a") && reads.push(request.path) === 1) {
          world.cluster.delete("configmaps", "default", "a");
          const response = await go();
          if (again) {
            world.configMap("a", "3");
          }
          return response;
        }
        return await intercept(request, go);
      };
      world.backend.ask("configmaps");
      await world.advance(5_000);
      const [end] = world.backend.reconciled.slice(-1);
      expect(end).toMatchObject({ listed: 2n, equal: 1n, put: again ? 1n : 0n, gone: again ? 0n : 1n });
      expect(end?.failure).toBeUndefined();
      expect(world.backend.contents("configmaps")).toEqual(world.truth());
      const deletes = runDeletes(world);
      expect(deletes.map(({ reason }) => reason)).toEqual(again ? [] : [DeleteReason.NOT_LISTED]);
      expect(
        deletes.every(({ observedVersion }) => BigInt(observedVersion) > BigInt(end?.listVersion ?? 0)),
      ).toBe(true);
    },
  );

  it("is gone when it is missing in the pages that are read", async () => {
    const names = Array.from({ length: 60 }, (_, i) => `c${i}`);
    await using world = await syncedWorld(names);
    world.backend.rows.get("configmaps")?.clear();
    let lists = 0;
    world.intercept = ({ path, query }, go) => {
      if (isList(path, query) && ++lists === 2) {
        world.cluster.faults.loseNextWatchEvent("configmaps");
        world.cluster.delete("configmaps", "default", "c7");
      }
      return go();
    };
    world.backend.ask("configmaps");
    await world.advance(5_000);
    expect(world.backend.reconciled.at(-1)).toMatchObject({ listed: 60n, put: 59n, gone: 1n });
    expectSum(world.backend.reconciled.at(-1));
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
  });

  it("fails its resource type with the reason of the API server, if there is one", async () => {
    await using world = await syncedWorld(["a", "b"]);
    world.backend.rows.get("configmaps")?.delete("default/b");
    world.intercept = ({ path }, go) => (path.endsWith("/configmaps/b") ? respond(403) : go());
    world.backend.ask("configmaps");
    await world.advance(2_000);
    expect(world.backend.reconciled.at(-1)?.failure?.reason).toBe("Forbidden");
  });
});
