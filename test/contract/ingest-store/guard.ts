import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  DeletionOrigin,
  type DeletionSet,
  DeletionSetState,
} from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import type { ResourceType } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import { RemovalReason, RemovedResourceSchema } from "../../../gen/proto/evenkeel/v1/scope_pb.ts";
import type { DeletionGuard } from "../../../src/domain/reconciliation/deletion-guard.ts";
import { batch, CONFIG_MAPS, notListed, PODS, put, remove } from "../../support/store/messages.ts";
import type { World } from "../../support/store/world.ts";
import { openWorlds } from "./open-worlds.ts";

/** Withholds more than 5 deletions of more than half of the rows. */
const guard: DeletionGuard = { maxDeletions: 5, maxShare: 0.5, agreementMs: 600_000 };

/** The guard against mass deletion: what it withholds, and what ends a deletion set. */
export function describeGuard(database: { readonly url: string }): void {
  const openWorld = openWorlds(database, { guard });

  /** Opens a world with pods "a/o000" and so on, which are verified at version 40. */
  async function openWithPods(count: number): Promise<World> {
    const world = await openWorld();
    await world.apply(...keys(count).map((key) => put(key, { observed: 10 })));
    await world.verifyAll(40);
    return world;
  }

  /** Has a run claim that pods are not in the list, put others, and end. Returns its ID. */
  async function runThatLacks(
    world: World,
    lost: readonly string[],
    { at = 50, puts = [] }: { readonly at?: number; readonly puts?: readonly string[] } = {},
  ): Promise<string> {
    const { request, inventories } = await world.beginRun();
    const { runId } = request;
    const firstSequence = world.sequence + 1n;
    const items = [
      ...lost.map((key) => notListed(key, at)),
      ...puts.map((key) => put(key, { observed: at })),
    ];
    await world.store.applyBatch(world.signal, world.next(), batch(items, PODS, runId));
    const compared = inventories
      .filter(({ resourceType }) => resourceType?.resource === "pods")
      .reduce((sum, { objects }) => sum + objects.length, 0);
    const equal = BigInt(compared - lost.length);
    await world.verifyResource(runId, PODS, at, firstSequence, world.next(), {
      compared: BigInt(compared),
      equal,
      put: BigInt(puts.length),
      listed: equal + BigInt(puts.length),
      deleted: BigInt(lost.length),
    });
    await world.verifyResource(runId, CONFIG_MAPS, at, firstSequence);
    return runId;
  }

  describe("the guard against mass deletion (R90)", () => {
    it("applies a few deletions of a run with its verdict, and not before", async () => {
      const world = await openWithPods(10);
      const { request } = await world.beginRun();
      const items = [notListed("a/o000", 50), notListed("a/o001", 50)];
      await world.store.applyBatch(world.signal, world.next(), batch(items, PODS, request.runId));
      expect(await present(world)).toHaveLength(10);
      const counts = { compared: 10n, equal: 8n, listed: 8n, deleted: 2n };
      await world.verifyResource(request.runId, PODS, 50, world.sequence, world.next(), counts);
      expect(await present(world)).toEqual(keys(10).slice(2));
      expect(await staged(world)).toEqual([]);
    });

    it("applies no deletion of a comparison that failed", async () => {
      const world = await openWithPods(10);
      const { request } = await world.beginRun();
      await world.store.applyBatch(
        world.signal,
        world.next(),
        batch([notListed("a/o000", 50)], PODS, request.runId),
      );
      const counts = { compared: 9n, equal: 8n, listed: 8n, deleted: 1n };
      await world.verifyResource(request.runId, PODS, 50, world.sequence, world.next(), counts);
      expect(await present(world)).toHaveLength(10);
    });

    it("withholds all deletions above both limits, applies the Puts, and the run is WITHHELD", async () => {
      const world = await openWithPods(10);
      const verified = await verifiedAt(world);
      const runId = await runThatLacks(world, keys(7), { puts: ["b/new"] });
      expect(await present(world)).toEqual([...keys(10), "b/new"]);
      expect(await verifiedAt(world)).toEqual(verified);
      expect(await runState(world, runId)).toEqual({ state: "WITHHELD", failure_reason: "DeletesWithheld" });
      const set = await openSet(world);
      expect(set).toMatchObject({ origin: DeletionOrigin.RUN, state: DeletionSetState.WITHHELD, runId });
      expect(set.resources).toMatchObject([
        {
          resourceType: { resource: "pods" },
          rows: 11n,
          deletions: 7n,
          detail: expect.stringContaining("7 of 11"),
        },
      ]);
      expect(world.withheld).toEqual([
        `7 of 11 rows (63 %) are not in the cluster's list; nothing is deleted until deletion set ${set.id} is decided`,
      ]);
      const shown = await world.deletions.get(world.signal, world.account, set.id);
      expect(shown?.examples.map(({ namespace, name }) => `${namespace}/${name}`)).toEqual(keys(7));
    });

    it.each([
      { name: "at the number", rows: 6, lost: 5, puts: [] },
      { name: "below the share", rows: 20, lost: 9, puts: [] },
      {
        name: "whose net number is low, because as many objects are new",
        rows: 8,
        lost: 8,
        puts: ["b/1", "b/2", "b/3"],
      },
    ])("applies deletions $name", async ({ rows, lost, puts }) => {
      const world = await openWithPods(rows);
      const runId = await runThatLacks(world, keys(lost), { puts });
      expect(await present(world)).toEqual([...keys(rows).slice(lost), ...puts].sort());
      expect(await runState(world, runId)).toMatchObject({ state: "SUCCEEDED" });
    });

    it("applies what a later run claims too, at least the set time after the first", async () => {
      const world = await openWithPods(10);
      await runThatLacks(world, keys(7));
      await runThatLacks(world, keys(7), { at: 60 });
      expect(await present(world)).toHaveLength(10);
      await backdateClaims(world);
      const runId = await runThatLacks(world, keys(7), { at: 70 });
      expect(await present(world)).toEqual(keys(10).slice(7));
      expect(await runState(world, runId)).toMatchObject({ state: "SUCCEEDED" });
      expect(await sets(world)).toMatchObject([{ state: DeletionSetState.APPLIED }]);
    });

    it("applies only the deletions that both runs claim, if the others exceed the limits", async () => {
      const world = await openWithPods(10);
      await runThatLacks(world, keys(7));
      await backdateClaims(world);
      await world.apply(
        ...keys(30)
          .slice(10)
          .map((key) => put(key, { observed: 55 })),
      );
      const others = keys(30).slice(10, 26);
      await runThatLacks(world, [...keys(7), ...others], { at: 60 });
      expect(await present(world)).toEqual(keys(30).slice(7));
      expect((await openSet(world)).resources).toMatchObject([{ deletions: 16n, rows: 30n }]);
    });

    it("counts deletions anew if the objects were there between the claims", async () => {
      const world = await openWithPods(10);
      await runThatLacks(world, keys(7));
      await backdateClaims(world);
      await world.apply(...keys(7).map((key) => put(key, { observed: 55 })));
      await runThatLacks(world, keys(7), { at: 60 });
      expect(await present(world)).toHaveLength(10);
      expect((await openSet(world)).resources).toMatchObject([{ deletions: 7n }]);
    });

    it("ends the set if the objects are back", async () => {
      const world = await openWithPods(10);
      await runThatLacks(world, keys(7));
      await runThatLacks(world, [], { at: 60 });
      expect(await sets(world)).toMatchObject([{ state: DeletionSetState.SUPERSEDED }]);
      expect(await present(world)).toHaveLength(10);
      expect(await staged(world)).toEqual([]);
    });

    it("withholds nothing that a watch observed", async () => {
      const world = await openWithPods(10);
      await world.apply(...keys(10).map((key) => remove(key, 50)));
      expect(await present(world)).toEqual([]);
    });

    it("never applies deletions that were rejected, until they are approved", async () => {
      const world = await openWithPods(10);
      await runThatLacks(world, keys(7));
      const { id } = await openSet(world);
      const rejected = await world.deletions.reject(world.signal, world.account, id, "ann");
      expect(rejected).toMatchObject({ state: DeletionSetState.REJECTED, decidedBy: "ann" });
      await backdateClaims(world);
      await runThatLacks(world, keys(7), { at: 60 });
      expect(await present(world)).toHaveLength(10);
      expect(await openSet(world)).toMatchObject({ id, state: DeletionSetState.REJECTED, decidedBy: "ann" });
      await runThatLacks(world, keys(8), { at: 70 });
      expect(await openSet(world)).toMatchObject({ id, state: DeletionSetState.WITHHELD, decidedBy: "" });
      await backdateClaims(world);
      await runThatLacks(world, keys(8), { at: 80 });
      expect(await present(world)).toHaveLength(10);
    });

    it("applies an approved set, except the objects that were put since, and a run becomes due", async () => {
      const world = await openWithPods(10);
      await runThatLacks(world, keys(7));
      await world.apply(put("a/o000", { observed: 55 }));
      const { id } = await openSet(world);
      await forgetJoins(world);
      const approval = { decidedBy: "ann", maxDeletions: 7 };
      const applied = await world.deletions.approve(world.signal, world.account, id, approval);
      expect(applied).toMatchObject({ state: DeletionSetState.APPLIED, decidedBy: "ann" });
      expect(await present(world)).toEqual(["a/o000", ...keys(10).slice(7)]);
      expect(await isDue(world)).toBe(true);
    });

    it("does not approve more than the caller saw, nor a set that has ended", async () => {
      const world = await openWithPods(10);
      await runThatLacks(world, keys(7));
      const { id } = await openSet(world);
      const approve = (maxDeletions?: number) =>
        world.deletions.approve(world.signal, world.account, id, {
          decidedBy: "ann",
          ...(maxDeletions !== undefined && { maxDeletions }),
        });
      await expect(approve(6)).rejects.toThrow("expected at most 6 deletions, found 7");
      await approve();
      await expect(approve()).rejects.toThrow("expected the state WITHHELD or REJECTED, found APPLIED");
    });

    it("approves nothing that only a run that has not ended claims", async () => {
      const world = await openWithPods(10);
      await runThatLacks(world, keys(7));
      const { request } = await world.beginRun();
      const items = keys(9).map((key) => notListed(key, 60));
      await world.store.applyBatch(world.signal, world.next(), batch(items, PODS, request.runId));
      const { id } = await openSet(world);
      await world.deletions.approve(world.signal, world.account, id, { decidedBy: "ann" });
      expect(await present(world)).toEqual(keys(10).slice(7));
    });
  });

  describe("deletions of a list outside a run (R91)", () => {
    it("apply at once if they are few", async () => {
      const world = await openWithPods(10);
      await world.apply(notListed("a/o000", 50, 2), notListed("a/o001", 50, 2));
      expect(await present(world)).toEqual(keys(10).slice(2));
    });

    it.each([
      { name: "are many", missing: 7 },
      { name: "have no number", missing: 0 },
    ])("are left to a run, all of them, if they $name", async ({ missing }) => {
      const world = await openWithPods(10);
      await forgetJoins(world);
      for (const key of keys(7)) {
        await world.apply(notListed(key, 50, missing));
      }
      expect(await present(world)).toHaveLength(10);
      expect(await isDue(world)).toBe(true);
    });

    it("are left to a run while a deletion set is open", async () => {
      const world = await openWithPods(10);
      await runThatLacks(world, keys(7));
      await world.apply(notListed("a/o009", 60, 1));
      expect(await present(world)).toHaveLength(10);
    });
  });

  describe("a narrower configuration (R92)", () => {
    it("drops a few rows at once", async () => {
      const world = await openWithPods(5);
      await declare(world, { resources: [CONFIG_MAPS], excluded: [PODS] });
      expect(await present(world)).toEqual([]);
      expect(await sets(world)).toEqual([]);
    });

    it("keeps all rows above the limits, over all resource types, until they are approved", async () => {
      const world = await openWithPods(4);
      const maps = keys(4).map((key) => put(key, { observed: 50 }));
      await world.store.applyBatch(world.signal, world.next(), batch(maps, CONFIG_MAPS));
      const verified = await verifiedAt(world);
      await declare(world, { resources: [], excluded: [PODS, CONFIG_MAPS] });
      expect(await present(world)).toHaveLength(4);
      expect(await verifiedAt(world)).toEqual(verified);
      const set = await openSet(world);
      expect(set).toMatchObject({ origin: DeletionOrigin.SCOPE, state: DeletionSetState.WITHHELD });
      expect(set.resources.map(({ resourceType, deletions }) => [resourceType?.resource, deletions])).toEqual(
        [
          ["configmaps", 4n],
          ["pods", 4n],
        ],
      );
      expect(world.withheld).toEqual([
        expect.stringContaining("8 rows of 2 resource types are not read any more"),
      ]);
      expect((await world.deletions.get(world.signal, world.account, set.id))?.examples).toHaveLength(8);
      expect(await availability(world)).toEqual(["WITHHELD", "WITHHELD"]);
      await world.beginRun();
      expect(await lastRun(world)).toMatchObject({ state: "WITHHELD" });

      await world.deletions.approve(world.signal, world.account, set.id, { decidedBy: "ann" });
      expect(await present(world)).toEqual([]);
      expect(await availability(world)).toEqual([]);
    });

    it("stays withheld over sessions and later declarations, and is not applied by repetition", async () => {
      const world = await openWithPods(8);
      await declare(world, { resources: [CONFIG_MAPS], excluded: [PODS] });
      const { id } = await openSet(world);
      await declare(world, { resources: [CONFIG_MAPS], excluded: [] });
      await world.connect();
      const maps = keys(100).map((key) => put(key, { observed: 50 }));
      await declare(world, { resources: [CONFIG_MAPS], excluded: [] });
      await world.store.applyBatch(world.signal, world.next(), batch(maps, CONFIG_MAPS));
      // The share is small now, but no caller has decided.
      await declare(world, { resources: [CONFIG_MAPS], excluded: [PODS] });
      expect(await present(world)).toHaveLength(8);
      expect(await openSet(world)).toMatchObject({ id });
    });

    it("ends its set when the resource type is declared again", async () => {
      const world = await openWithPods(8);
      const verified = await verifiedAt(world);
      await declare(world, { resources: [CONFIG_MAPS], excluded: [PODS] });
      await declare(world, { resources: [CONFIG_MAPS, PODS], excluded: [] });
      expect(await sets(world)).toMatchObject([{ state: DeletionSetState.SUPERSEDED }]);
      expect(await availability(world)).toEqual(["READABLE", "READABLE"]);
      expect(await verifiedAt(world)).toEqual(verified);
    });

    it("keeps the rows of namespaces that it does not read, and does not verify them", async () => {
      const world = await openWithPods(8);
      const verified = await verifiedAt(world);
      await declare(world, { resources: [PODS, CONFIG_MAPS], namespaces: ["typo"], excluded: [] });
      expect(await present(world)).toHaveLength(8);
      const { request } = await world.beginRun();
      await world.verifyResource(request.runId, PODS, 50, world.sequence + 1n, world.next(), {
        compared: 8n,
        equal: 0n,
        listed: 0n,
      });
      await world.verifyResource(request.runId, CONFIG_MAPS, 50, world.sequence + 1n);
      expect(await lastRun(world)).toMatchObject({ state: "WITHHELD" });
      expect(await verifiedAt(world)).toEqual(verified);
      const { id } = await openSet(world);
      await world.deletions.approve(world.signal, world.account, id, { decidedBy: "ann" });
      expect(await present(world)).toEqual([]);
      expect(await availability(world)).toEqual(["READABLE", "READABLE"]);
    });

    it("does not hold up a resource type that is proved to be gone", async () => {
      const world = await openWithPods(8);
      await world.declare([CONFIG_MAPS], [], [PODS]);
      expect(await present(world)).toEqual([]);
    });

    it.each(["a run", "the scope"])(
      "ends the set of %s when its resource type is proved to be gone",
      async (origin) => {
        const world = await openWithPods(10);
        if (origin === "a run") {
          await runThatLacks(world, keys(7));
        } else {
          await declare(world, { resources: [CONFIG_MAPS], excluded: [PODS] });
        }
        expect(await sets(world)).toMatchObject([{ state: DeletionSetState.WITHHELD }]);
        await world.declare([CONFIG_MAPS], [], [PODS]);
        expect(await present(world)).toEqual([]);
        expect(await sets(world)).toMatchObject([{ state: DeletionSetState.SUPERSEDED }]);
      },
    );
  });
}

/** Returns the keys "a/o000" and so on, in order. */
function keys(count: number): string[] {
  return Array.from({ length: count }, (_, at) => `a/o${String(at).padStart(3, "0")}`);
}

async function present(world: World): Promise<string[]> {
  const rows = await world.rows();
  return rows.filter(({ state }) => state !== "absent").map(({ key }) => key);
}

async function staged(world: World) {
  return await world.sql("SELECT * FROM staged_deletion WHERE cluster = $1");
}

async function verifiedAt(world: World): Promise<unknown> {
  const rows = await world.sql("SELECT resource, verified_at FROM resource_state WHERE cluster = $1");
  return rows.find(({ resource }) => resource === "pods")?.["verified_at"];
}

async function availability(world: World): Promise<unknown[]> {
  const rows = await world.sql(
    "SELECT availability FROM resource_state WHERE cluster = $1 ORDER BY resource",
  );
  return rows.map((row) => row["availability"]);
}

async function lastRun(world: World) {
  const rows = await world.sql(
    "SELECT * FROM reconciliation_run WHERE cluster = $1 ORDER BY started_at DESC LIMIT 1",
  );
  return rows[0];
}

async function runState(world: World, runId: string) {
  const rows = await world.sql("SELECT id, state, failure_reason FROM reconciliation_run WHERE cluster = $1");
  const { id, ...rest } = rows.find((row) => row["id"] === runId) ?? {};
  expect(id).toBe(runId);
  return rest;
}

async function sets(world: World): Promise<readonly DeletionSet[]> {
  const query = { after: undefined, limit: 10, clusters: [world.cluster], includeClosed: true };
  return (await world.deletions.list(world.signal, world.account, query)).items;
}

async function openSet(world: World): Promise<DeletionSet> {
  const [set, ...others] = await sets(world);
  expect(others).toEqual([]);
  return set ?? expect.fail("no deletion set");
}

/** Moves the first claims back by more than the time of agreement. */
async function backdateClaims(world: World): Promise<void> {
  await world.sql(
    "UPDATE staged_deletion SET claimed_at = claimed_at - interval '11 minutes' WHERE cluster = $1",
  );
}

/** Moves the joins of resource types before the last run, so that none of them makes another run due. */
async function forgetJoins(world: World): Promise<void> {
  await world.sql("UPDATE resource_state SET joined_at = now() - interval '1 hour' WHERE cluster = $1");
  await world.sql(
    "UPDATE reconciliation_run SET answered_at = now() - interval '1 minute' WHERE cluster = $1",
  );
  expect(await isDue(world)).toBe(false);
}

/** True if a run is due, once no resource type has joined for some seconds. */
async function isDue(world: World): Promise<boolean> {
  await world.sql(
    "UPDATE resource_state SET joined_at = joined_at - interval '6 seconds' WHERE cluster = $1",
  );
  return (await world.runs.listDue(world.signal, [world.at(0n)], 3_600_000)).length > 0;
}

interface Declaration {
  readonly resources: readonly ResourceType[];
  readonly namespaces?: readonly string[];
  readonly excluded: readonly ResourceType[];
}

async function declare(world: World, { resources, namespaces, excluded }: Declaration): Promise<void> {
  const declared = world.nextScope(resources, namespaces);
  declared.removed.push(
    ...excluded.map((resourceType) =>
      create(RemovedResourceSchema, { resourceType, reason: RemovalReason.EXCLUDED }),
    ),
  );
  await world.store.applyScope(world.signal, world.next(), declared);
}
