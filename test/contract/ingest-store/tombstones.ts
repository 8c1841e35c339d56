import { describe, expect, it } from "vitest";
import { batch, CONFIG_MAPS, PODS, put, remove } from "../../support/store/messages.ts";
import type { World } from "../../support/store/world.ts";
import { openWorlds } from "./open-worlds.ts";

/** Newest tombstones of a resource type that each purge keeps. */
const KEPT = 1_000;

/** The purge of tombstones that no verified comparison replaces. */
export function describeTombstones(database: { readonly url: string }): void {
  const openWorld = openWorlds(database);

  describe("the tombstones of a resource type that never verifies", () => {
    it("are purged beyond the newest 1,000 when they are old, and a late Put stays refused (R5)", async () => {
      const world = await openWorld();
      await deleteMany(world, { from: 1, count: KEPT + 50 });
      await age(world);
      await world.beginRun();
      const versions = await tombstones(world);
      expect(versions).toEqual(Array.from({ length: KEPT }, (_, at) => at + 51));
      await world.apply(put("a/late", { observed: 49 }));
      expect(await world.row("a/late")).toBeUndefined();
      await world.apply(put("a/new", { observed: 51 }));
      expect(await world.row("a/new")).toMatchObject({ state: "present", observed: "51" });
    });

    it("are no longer counted, before the run corrects the numbers of rows (L32)", async () => {
      const world = await openWorld();
      await deleteMany(world, { from: 1, count: KEPT + 50 });
      await age(world);
      const { request } = await world.requestRun();
      await world.store.beginAttempt(world.signal, world.at(0n), request);
      expect(await tombstones(world)).toHaveLength(KEPT);
    });

    it("stay while they are young, and while an older one is", async () => {
      const world = await openWorld();
      await deleteMany(world, { from: 1, count: KEPT + 50 });
      await world.beginRun();
      expect(await tombstones(world)).toHaveLength(KEPT + 50);
      await age(world, "AND observed_version <> 20");
      await restartRun(world);
      expect((await tombstones(world))[0]).toBe(20);
    });

    it("stay in a dry run, and below the number", async () => {
      const world = await openWorld();
      await deleteMany(world, { from: 1, count: KEPT });
      await age(world);
      await world.beginRun();
      expect(await tombstones(world)).toHaveLength(KEPT);
      await deleteMany(world, { from: KEPT + 1, count: 50 });
      await age(world);
      await restartRun(world, true);
      expect(await tombstones(world)).toHaveLength(KEPT + 50);
    });

    it("leave the cause of a finding as it was: no pass has stored what is missing", async () => {
      const world = await openWorld();
      await world.verifyAll(1);
      await deleteMany(world, { from: 2, count: KEPT + 50 });
      await age(world);
      const { request } = await world.beginRun();
      await world.repair(request.runId, put("a/missed", { observed: 2_000, version: "10" }));
      expect(await world.sql("SELECT cause FROM reconciliation_finding WHERE cluster = $1")).toEqual([
        { cause: "UNKNOWN" },
      ]);
    });

    it("count for nothing in a new incarnation, and after namespaces left the scope (R16, R30)", async () => {
      const world = await openWorld();
      await deleteMany(world, { from: 1, count: KEPT + 50 });
      await age(world);
      await world.beginRun();
      await world.declare([PODS, CONFIG_MAPS], ["b"], []);
      await world.declare([PODS, CONFIG_MAPS], ["a", "b"], []);
      await world.apply(put("a/returned", { observed: 30 }));
      expect(await world.row("a/returned")).toMatchObject({ state: "present", observed: "30" });
      await deleteMany(world, { from: 40, count: KEPT + 50 });
      await age(world);
      await restartRun(world);
      await restore(world, "a/restored", 3);
      await world.apply(put("a/newest", { observed: 5_000 }));
      await world.apply(put("a/between", { observed: 4 }));
      expect(await world.row("a/restored")).toMatchObject({ state: "present", observed: "3" });
      expect(await world.row("a/between")).toMatchObject({ state: "present", observed: "4" });
    });

    it("of older incarnations go without a trace", async () => {
      const world = await openWorld();
      await deleteMany(world, { from: 100, count: KEPT + 50 });
      await age(world);
      await restore(world, "a/x", 5);
      await restartRun(world);
      expect(await tombstones(world)).toHaveLength(KEPT);
      await world.apply(put("a/newest", { observed: 5_000 }));
      await world.apply(put("a/y", { observed: 4 }));
      expect(await world.row("a/y")).toMatchObject({ state: "present" });
    });
  });
}

/** Applies a Delete for each version from `from` on. */
async function deleteMany(world: World, { from, count }: { from: number; count: number }): Promise<void> {
  const versions = Array.from({ length: count }, (_, at) => from + at);
  await world.apply(...versions.map((version) => remove(`a/gone-${version}`, version)));
}

/** Makes the tombstones two hours old, as if the ingester had written them then. */
async function age(world: World, condition = ""): Promise<void> {
  await world.database.transaction(world, async (client) => {
    await client.query(
      `UPDATE kubernetes_object SET updated_at = now() - interval '2 hours'
       WHERE account = $1 AND cluster = $2 AND state = 'absent' ${condition}`,
      [world.account, world.cluster],
    );
  });
}

/** Begins a new incarnation with a Put of a new session. */
async function restore(world: World, key: string, observed: number): Promise<void> {
  await world.connect("agent-2");
  await world.declare();
  const item = put(key, { observed });
  await world.store.applyBatch(world.signal, world.next(), batch([item], PODS, undefined, world.epoch));
}

async function restartRun(world: World, dryRun = false): Promise<void> {
  await world.sql(
    "UPDATE reconciliation_run SET state = 'EXPIRED', ended_at = now() WHERE cluster = $1 AND ended_at IS NULL",
  );
  await world.beginRun(dryRun);
}

async function tombstones(world: World): Promise<number[]> {
  const rows = (await world.rows()).filter(({ state }) => state === "absent");
  return rows.map(({ observed }) => Number(observed)).sort((a, b) => a - b);
}
