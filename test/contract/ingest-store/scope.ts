import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ReconciliationTrigger } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import type { ResourceType } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import { ScopeDeclaredSchema } from "../../../gen/proto/evenkeel/v1/scope_pb.ts";
import { batch, CONFIG_MAPS, PODS, put, resourceType } from "../../support/store/messages.ts";
import type { World } from "../../support/store/world.ts";
import { openWorlds } from "./open-worlds.ts";

const NODES = resourceType("", "v1", "nodes");

/** The scope: what leaves it, late and lost declarations, and what a change of it means for runs. */
export function describeScope(database: { readonly url: string }): void {
  const openWorld = openWorlds(database);

  describe("the scope", () => {
    it("keeps the rows and the verified time of a resource type that is neither declared nor removed (R70)", async () => {
      const world = await openWorld();
      await world.apply(put("a/x", { observed: 10 }));
      await world.verifyAll(40);
      const before = await stateOf(world, "pods");
      const { generation, resources } = world.nextScope([CONFIG_MAPS]);
      const failure = { reason: "Timeout", message: "no answer" };
      const undecided = [{ group: "", version: "v1", failure }];
      const scope = create(ScopeDeclaredSchema, { generation, resources, undecided });
      await world.store.applyScope(world.signal, world.next(), scope);
      expect((await world.rows()).map(({ key }) => key)).toEqual(["a/x"]);
      expect(await stateOf(world, "pods")).toMatchObject({
        availability: "UNDECIDED",
        failure_message: "/v1: no answer",
        verified_at: before?.["verified_at"],
      });
    });

    it("does not compare an undecided resource type, and the run is PARTIAL (R70)", async () => {
      const world = await openWorld();
      await world.apply(put("a/x", { observed: 10 }));
      await world.verifyAll(40);
      await world.declare([CONFIG_MAPS]);
      const { request, inventories } = await world.beginRun();
      expect(inventories.map((inventory) => inventory.resourceType?.resource)).toEqual(["configmaps"]);
      await world.verifyResource(request.runId, CONFIG_MAPS, 50, world.sequence + 1n);
      expect(await lastRun(world)).toMatchObject({ state: "PARTIAL" });
      expect(await resultOf(world, "pods")).toMatchObject({ failure_reason: "Undecided" });
    });

    it("accepts an undecided resource type again, and then its cluster is due (R70)", async () => {
      const world = await openWorld();
      await world.verifyAll(40);
      await world.declare([CONFIG_MAPS]);
      await world.declare();
      expect(await stateOf(world, "pods")).toMatchObject({ availability: "READABLE", failure_reason: null });
      expect(await isDue(world)).toBe(false);
      await world.sql("UPDATE resource_state SET joined_at = joined_at - interval '6 s' WHERE cluster = $1");
      await world.sql(
        "UPDATE reconciliation_run SET answered_at = answered_at - interval '8 s' WHERE cluster = $1",
      );
      expect(await isDue(world)).toBe(true);
    });

    it("is not changed by a late declaration (R71)", async () => {
      const world = await openWorld();
      await world.declare([PODS]);
      const late = { position: world.at(world.sequence), scope: world.nextScope([CONFIG_MAPS], [], [PODS]) };
      await world.declare();
      await world.apply(put("a/x", { observed: 10 }));
      await world.store.applyScope(world.signal, late.position, late.scope);
      expect(await world.rows()).toHaveLength(1);
      expect(await stateOf(world, "pods")).toMatchObject({ availability: "READABLE" });
    });

    it("restarts the session when a declaration was lost (R71)", async () => {
      const world = await openWorld();
      world.nextScope([PODS]);
      world.next();
      await world.declare();
      expect(await restarts(world)).toEqual(["scope: generation 2 was lost"]);
      expect(await world.connect("agent-1")).toMatchObject({ trigger: ReconciliationTrigger.CONNECT });
      expect(await restarts(world)).toEqual([]);
    });

    it("restarts the session when the first declaration was lost, and its run fails (R71)", async () => {
      const world = await openWorld();
      const connectRun = await world.connect("agent-2");
      world.next();
      await world.apply(put("a/x", { observed: 10 }));
      await world.answer(connectRun as NonNullable<typeof connectRun>);
      expect(await lastRun(world, "CONNECT")).toMatchObject({ state: "FAILED", failure_reason: "NoScope" });
      expect(await restarts(world)).toHaveLength(1);
    });

    it("restarts the session when a restored database lost its declaration (R71)", async () => {
      const world = await openWorld();
      await world.connect("agent-2");
      await world.sql("UPDATE reconciliation_run SET ended_at = now(), state = 'EXPIRED' WHERE cluster = $1");
      await world.sql(
        "UPDATE reconciliation_run SET started_at = started_at - interval '1 h' WHERE cluster = $1",
      );
      expect(await isDue(world)).toBe(true);
      const { account, cluster } = world;
      const trigger = ReconciliationTrigger.INTERVAL;
      const run = { account, cluster, trigger, initiator: "evenkeel/backend", deadlineMs: 60_000 };
      await world.answer((await world.runs.createRun(world.signal, run)).request);
      expect(await lastRun(world, "INTERVAL")).toMatchObject({ state: "FAILED", failure_reason: "NoScope" });
      expect(await restarts(world)).toHaveLength(1);
    });

    it("restarts the session when an object of a lost declaration arrives (R71)", async () => {
      const world = await openWorld();
      world.next();
      const foreign = resourceType("apps", "v1", "deployments");
      await world.store.applyBatch(
        world.signal,
        world.next(),
        batch([put("a/x", { observed: 10 })], foreign),
      );
      expect(await restarts(world)).toHaveLength(1);
    });

    it("does not restart the session for an object out of scope if no message was lost (R71)", async () => {
      const world = await openWorld();
      const foreign = resourceType("apps", "v1", "deployments");
      await world.store.applyBatch(
        world.signal,
        world.next(),
        batch([put("a/x", { observed: 10 })], foreign),
      );
      expect(await restarts(world)).toEqual([]);
    });

    it("applies a scope that arrives in parts with its last part, and ignores repeated parts (R71)", async () => {
      const world = await openWorld();
      await world.declare([]);
      expect(await stateOf(world, "pods")).toMatchObject({ availability: "UNDECIDED" });
      const [first, second, third] = partsOf(world, [[PODS], [CONFIG_MAPS], [NODES]]);
      for (const part of [first, second, second, first]) {
        await part();
      }
      expect(await stateOf(world, "pods")).toMatchObject({ availability: "UNDECIDED" });
      for (const part of [second, third, third, first, second]) {
        await part();
      }
      expect(await stateOf(world, "pods")).toMatchObject({ availability: "READABLE" });
      expect(await stateOf(world, "configmaps")).toMatchObject({ availability: "READABLE" });
      expect(await stateOf(world, "nodes")).toMatchObject({ availability: "READABLE" });
      expect(await restarts(world)).toEqual([]);
      await world.declare([PODS]);
      expect(await stateOf(world, "nodes")).toMatchObject({ availability: "UNDECIDED" });
      expect(await restarts(world)).toEqual([]);
    });

    it.each([0, 1])("restarts the session when part %i of a scope was lost (R71)", async (lost) => {
      const world = await openWorld();
      const parts = partsOf(world, [[PODS], [CONFIG_MAPS], [NODES]]);
      for (const part of parts.toSpliced(lost, 1)) {
        await part();
      }
      expect(await restarts(world)).toEqual(["scope: a part of generation 2 was lost"]);
      expect(await stateOf(world, "nodes")).toBeUndefined();
    });

    it("ignores the parts of a scope when a later one is applied (R71)", async () => {
      const world = await openWorld();
      const [first, second] = partsOf(world, [[PODS], [NODES]]);
      await first();
      await world.declare();
      expect(await restarts(world)).toEqual(["scope: generation 2 was lost"]);
      await second();
      expect(await stateOf(world, "nodes")).toBeUndefined();
    });

    it("forgets the verified time when namespaces join, and their first copy is no drift (R72)", async () => {
      const world = await openWorld();
      await world.declare([PODS], ["a"], [CONFIG_MAPS]);
      const { request: first } = await world.beginRun();
      await world.verifyResource(first.runId, PODS, 40, world.sequence + 1n);
      expect(await stateOf(world, "pods")).toMatchObject({ verified_at: expect.any(Date) });
      await world.declare([PODS], ["a", "b"]);
      expect(await stateOf(world, "pods")).toMatchObject({ verified_at: null });
      const { request } = await world.beginRun();
      const repair = batch([put("b/y", { observed: 50 })], PODS, request.runId);
      await world.store.applyBatch(world.signal, world.next(), repair);
      expect(await world.sql("SELECT name FROM reconciliation_finding WHERE cluster = $1")).toEqual([]);
    });

    it("keeps the verified time when namespaces leave (R72)", async () => {
      const world = await openWorld();
      await world.verifyAll(40);
      await world.declare([PODS, CONFIG_MAPS], ["a"]);
      expect(await stateOf(world, "pods")).toMatchObject({ verified_at: expect.any(Date) });
    });
  });
}

/** Returns functions that apply the parts of the next scope, one for each list of resource types. */
function partsOf<const T extends readonly (readonly ResourceType[])[]>(
  world: World,
  lists: T,
): { [K in keyof T]: () => Promise<void> } {
  const { generation } = world.nextScope([]);
  const position = world.next();
  return lists.map((resourceTypes, index) => {
    const resources = resourceTypes.map((resourceType) => ({ resourceType, namespaced: true }));
    const scope = create(ScopeDeclaredSchema, { generation, resources });
    const part = { index, count: lists.length };
    return () => world.store.applyScope(world.signal, { ...position, part }, scope);
  }) as unknown as { [K in keyof T]: () => Promise<void> };
}

async function stateOf(world: World, resource: string) {
  const rows = await world.sql(`SELECT * FROM resource_state WHERE cluster = $1`);
  return rows.find((row) => row["resource"] === resource);
}

async function resultOf(world: World, resource: string) {
  const rows = await world.sql(
    `SELECT k.* FROM reconciliation_result k JOIN reconciliation_run r ON r.id = k.run_id
     WHERE k.cluster = $1 ORDER BY r.started_at DESC`,
  );
  return rows.find((row) => row["resource"] === resource);
}

async function lastRun(world: World, trigger = "MANUAL") {
  const rows = await world.sql(
    "SELECT * FROM reconciliation_run WHERE cluster = $1 ORDER BY started_at DESC",
  );
  return rows.find((row) => row["trigger"] === trigger);
}

async function restarts(world: World): Promise<string[]> {
  const ended = await world.sessions.keepSessions(world.signal, [world.at(0n)]);
  return ended.flatMap((each) => (each.type === "restart" ? [each.reason] : []));
}

async function isDue(world: World): Promise<boolean> {
  return (await world.runs.listDue(world.signal, [world.at(0n)], 60_000)).length > 0;
}
