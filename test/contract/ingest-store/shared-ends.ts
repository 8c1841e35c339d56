import { describe, expect, it } from "vitest";
import type { DeletionGuard } from "../../../src/domain/reconciliation/deletion-guard.ts";
import {
  batch,
  CONFIG_MAPS,
  notListed,
  PODS,
  put,
  remove,
  resourceType,
} from "../../support/store/messages.ts";
import type { World } from "../../support/store/world.ts";
import { openWorlds } from "./open-worlds.ts";

const SECRETS = resourceType("", "v1", "secrets");
const MAX_UINT64 = 2n ** 64n - 1n;

/** Withholds more than 2 deletions of more than half of the rows. */
const guard: DeletionGuard = { maxDeletions: 2, maxShare: 0.5, agreementMs: 600_000 };

/** Ends of several comparisons in one message: each is judged by itself. */
export function describeSharedEnds(database: { readonly url: string }): void {
  const openWorld = openWorlds(database, { guard });

  const open = async (): Promise<World> => {
    const world = await openWorld();
    await world.declare([PODS, CONFIG_MAPS, SECRETS]);
    return world;
  };

  describe("ends of comparisons in one message (L34)", () => {
    it("fail by themselves: a bad one touches its own resource type only, and the run ends with them", async () => {
      const world = await open();
      await world.apply(put("a/x", { observed: 100 }));
      const { request } = await world.beginRun();
      const first = world.sequence + 1n;
      await world.verifyResources(request.runId, [
        world.endOf(CONFIG_MAPS, 200, first),
        world.endOf(PODS, 200, first, { listed: 5n }),
        world.endOf(SECRETS, 200, first),
      ]);
      expect(await outcomes(world)).toEqual([
        { resource: "configmaps", reason: null, low: "200", verified: true },
        { resource: "pods", reason: "InconsistentCounts", low: "0", verified: false },
        { resource: "secrets", reason: null, low: "200", verified: true },
      ]);
      expect(await runs(world)).toEqual([{ state: "PARTIAL", ended: true }]);
    });

    it("end the run with its last resource type, and not before", async () => {
      const world = await open();
      const { request } = await world.beginRun();
      const first = world.sequence + 1n;
      await world.verifyResources(
        request.runId,
        [PODS, SECRETS].map((each) => world.endOf(each, 200, first)),
      );
      expect(await runs(world)).toEqual([{ state: "COMPARING", ended: false }]);
      await world.verifyResources(request.runId, [world.endOf(CONFIG_MAPS, 200, first)]);
      expect(await runs(world)).toEqual([{ state: "SUCCEEDED", ended: true }]);
    });

    it("change nothing when they are delivered again, also beside others", async () => {
      const world = await open();
      const { request } = await world.beginRun();
      const first = world.sequence + 1n;
      const ends = [PODS, SECRETS].map((each) => world.endOf(each, 200, first));
      const position = world.next();
      await world.verifyResources(request.runId, ends, position);
      const before = await outcomes(world);
      await world.verifyResources(request.runId, ends, position);
      expect(await outcomes(world)).toEqual(before);
      await world.verifyResources(request.runId, [
        world.endOf(PODS, 300, first),
        world.endOf(CONFIG_MAPS, 300, first),
      ]);
      expect(await outcomes(world)).toMatchObject([
        { resource: "configmaps", low: "300", verified: true },
        { resource: "pods", low: "200", verified: true },
        { resource: "secrets", low: "200", verified: true },
      ]);
    });

    it("prove nothing if a message was lost in their range, and all else if not", async () => {
      const world = await open();
      const { request } = await world.beginRun();
      const before = world.sequence + 1n;
      world.next();
      const position = world.next();
      await world.verifyResources(
        request.runId,
        [world.endOf(PODS, 200, before), world.endOf(SECRETS, 200, position.sequence)],
        position,
      );
      expect(await outcomes(world)).toMatchObject([
        { resource: "configmaps", verified: false },
        { resource: "pods", reason: "SequenceGap", verified: false },
        { resource: "secrets", reason: null, verified: true },
      ]);
    });

    it("of an earlier session, and of an earlier attempt, are ignored (R73)", async () => {
      const world = await open();
      const { request } = await world.beginRun();
      await world.answer(request);
      const ends = [PODS, SECRETS].map((each) => world.endOf(each, 200, world.sequence + 1n));
      await world.verifyResources(request.runId, ends);
      expect(await outcomes(world)).toMatchObject([
        { verified: false },
        { verified: false },
        { verified: false },
      ]);
      const late = world.next();
      await world.connect("agent-2");
      await world.verifyResources(request.runId, ends, late, 2);
      expect(await outcomes(world)).toMatchObject([
        { verified: false },
        { verified: false },
        { verified: false },
      ]);
    });

    it("have values that Postgres cannot store, and end the others all the same", async () => {
      const world = await open();
      const { request } = await world.beginRun();
      const first = world.sequence + 1n;
      const counts = { listed: MAX_UINT64, deleted: MAX_UINT64 };
      const failure = { reason: "Internal", message: "a\u0000b\ud800\nc" };
      await world.verifyResources(request.runId, [
        world.endOf(PODS, 200, first),
        world.endOf(CONFIG_MAPS, "", first, { ...counts, failure }),
        world.endOf(SECRETS, 200, first, { listed: MAX_UINT64, equal: MAX_UINT64 }),
      ]);
      expect(await outcomes(world)).toMatchObject([
        { resource: "configmaps", reason: "Internal", verified: false },
        { resource: "pods", reason: null, verified: true },
        { resource: "secrets", verified: true },
      ]);
      const [row] = await world.sql(
        `SELECT failure_message AS message, listed FROM reconciliation_result
         WHERE cluster = $1 AND resource = 'configmaps'`,
      );
      expect(row).toEqual({ message: "a\\u0000b\\ud800\nc", listed: String(2n ** 63n - 1n) });
    });

    it("withhold deletions of several resource types in one deletion set (R90)", async () => {
      const world = await open();
      const keys = ["a/1", "a/2", "a/3"];
      const objects = (observed: number) => keys.map((key) => put(key, { observed }));
      for (const each of [PODS, SECRETS]) {
        await world.store.applyBatch(world.signal, world.next(), batch(objects(10), each));
      }
      const { request } = await world.beginRun();
      const first = world.sequence + 1n;
      for (const each of [PODS, SECRETS]) {
        const lost = batch(
          keys.map((key) => notListed(key, 50)),
          each,
          request.runId,
        );
        await world.store.applyBatch(world.signal, world.next(), lost);
      }
      const counts = { listed: 0n, equal: 0n, deleted: 3n };
      await world.verifyResources(request.runId, [
        world.endOf(PODS, 50, first, counts),
        world.endOf(CONFIG_MAPS, 50, first),
        world.endOf(SECRETS, 50, first, counts),
      ]);
      expect(await outcomes(world)).toMatchObject([
        { resource: "configmaps", reason: null, verified: true },
        { resource: "pods", reason: "DeletesWithheld", verified: false },
        { resource: "secrets", reason: "DeletesWithheld", verified: false },
      ]);
      expect(
        await world.sql(
          `SELECT count(DISTINCT set_id)::int AS sets, sum(deletions)::int AS deletions
           FROM deletion_set_resource WHERE cluster = $1`,
        ),
      ).toEqual([{ sets: 1, deletions: 6 }]);
    });

    it("purge the tombstones of their own resource types (L32)", async () => {
      const world = await open();
      for (const each of [PODS, SECRETS, CONFIG_MAPS]) {
        await world.store.applyBatch(world.signal, world.next(), batch([remove("a/x", 20)], each));
      }
      const { request } = await world.beginRun();
      const first = world.sequence + 1n;
      await world.verifyResources(request.runId, [
        world.endOf(PODS, 200, first),
        world.endOf(SECRETS, 15, first),
        world.endOf(CONFIG_MAPS, 200, first),
      ]);
      const rows = await world.sql(
        "SELECT resource, absent_rows AS rows FROM resource_state WHERE cluster = $1 ORDER BY resource",
      );
      expect(rows).toEqual([
        { resource: "configmaps", rows: "0" },
        { resource: "pods", rows: "0" },
        { resource: "secrets", rows: "1" },
      ]);
    });
  });
}

async function outcomes(world: World): Promise<readonly object[]> {
  return await world.sql(
    `SELECT k.resource, k.failure_reason AS reason, s.low_watermark::text AS low,
            s.verified_at IS NOT NULL AS verified
     FROM reconciliation_result k
     JOIN resource_state s ON s.account = k.account AND s.cluster = k.cluster AND s.resource = k.resource
     WHERE k.cluster = $1 ORDER BY k.resource`,
  );
}

async function runs(world: World): Promise<readonly object[]> {
  return await world.sql(
    "SELECT state, ended_at IS NOT NULL AS ended FROM reconciliation_run WHERE cluster = $1",
  );
}
