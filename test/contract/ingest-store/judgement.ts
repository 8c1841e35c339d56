import { describe, expect, it } from "vitest";
import { batch, CONFIG_MAPS, PODS, put } from "../../support/store/messages.ts";
import type { EndInit, World } from "../../support/store/world.ts";
import { openWorlds } from "./open-worlds.ts";

/** Ends of comparisons: each is judged by what the store knows itself. */
export function describeJudgement(database: { readonly url: string }): void {
  const openWorld = openWorlds(database);

  describe("the end of a comparison", () => {
    const wrong: [string, string, EndInit, number?][] = [
      ["of some chunks only", "IncompleteComparison", { compared: 1n, listed: 1n, equal: 1n }],
      ["whose counts do not add up", "InconsistentCounts", { listed: 5n }],
      ["of a scope that was not declared", "ScopeChanged", { scopeGeneration: 7n }],
      ["of an attempt that was not begun", "StaleAttempt", {}, 9],
      ["whose first sequence is above its own", "BadRange", { firstSequence: 99n }],
      ["with an incarnation above the epoch", "BadIncarnation", { incarnation: 9_223_372_036_854_775_000n }],
      ["without a version, of a resource type with versions", "OrderChanged", { listVersion: "" }],
      ["below the high watermark", "VersionsWentBack", { listVersion: "99" }],
    ];
    it.each(wrong)("%s proves nothing: %s (R73)", async (_, reason, init, attempt) => {
      const world = await openWorld();
      await world.apply(put("a/x", { observed: 100 }), put("a/y", { observed: 100 }));
      const { request } = await world.beginRun();
      await world.verifyResource(request.runId, PODS, 100, world.sequence + 1n, world.next(), init, attempt);
      expect(await outcomeOf(world, "pods")).toMatchObject({
        reason,
        verified: false,
        low_watermark: "0",
      });
    });

    it("of an earlier attempt is ignored (R73)", async () => {
      const world = await openWorld();
      const { request } = await world.beginRun();
      await world.answer(request);
      await world.verifyResource(request.runId, PODS, 100, world.sequence + 1n);
      expect(await outcomeOf(world, "pods")).toMatchObject({ ended: false, verified: false });
      await world.verifyResource(request.runId, PODS, 100, world.sequence + 1n, world.next(), {}, 2);
      expect(await outcomeOf(world, "pods")).toMatchObject({ ended: true, verified: true });
    });

    it("proves nothing if a repair of it has a lower sequence than its first (R73)", async () => {
      const world = await openWorld();
      const { request } = await world.beginRun();
      const repair = batch([put("a/x", { observed: 50 })], PODS, request.runId);
      await world.store.applyBatch(world.signal, world.next(), repair);
      const counts = { listed: 1n, put: 1n, equal: 0n };
      await world.verifyResource(request.runId, PODS, 100, world.sequence + 1n, world.next(), counts);
      expect(await outcomeOf(world, "pods")).toMatchObject({ reason: "BadRange", verified: false });
    });

    it("is judged by the high watermark of the inventory, not by that of now", async () => {
      const world = await openWorld();
      await world.apply(put("a/x", { observed: 90 }));
      const { request } = await world.beginRun();
      const firstSequence = world.sequence + 1n;
      await world.apply(put("a/y", { observed: 105 }));
      await world.verifyResource(request.runId, PODS, 100, firstSequence);
      expect(await outcomeOf(world, "pods")).toMatchObject({ reason: null, verified: true });
    });

    it("after a change of the order compares all rows in the next run", async () => {
      const world = await openWorld();
      await world.apply(put("a/x", { observed: 90 }));
      const { request } = await world.beginRun();
      const position = world.next();
      await world.verifyResource(request.runId, PODS, "", position.sequence, position);
      expect(await outcomeOf(world, "pods")).toMatchObject({ reason: "OrderChanged" });
      await world.verifyResource(request.runId, CONFIG_MAPS, 100, world.sequence + 1n);
      const { inventories } = await world.beginRun();
      const pods = inventories.find(({ resourceType }) => resourceType?.resource === "pods");
      expect(pods?.objects.map(({ checksum }) => checksum.byteLength)).toEqual([0]);
    });

    it("fails for a refused item of its own resource type, not of another (R74)", async () => {
      const world = await openWorld();
      await world.declare([PODS, CONFIG_MAPS], ["a"]);
      const { request } = await world.beginRun();
      const firstSequence = world.sequence + 1n;
      await world.apply(put("elsewhere/x", { observed: 50 }));
      await world.verifyResource(request.runId, CONFIG_MAPS, 100, firstSequence);
      await world.verifyResource(request.runId, PODS, 100, firstSequence);
      expect(await outcomeOf(world, "configmaps")).toMatchObject({ reason: null, verified: true });
      expect(await outcomeOf(world, "pods")).toMatchObject({ reason: "Refused", verified: false });
    });

    it("does not fail for an object that arrived quarantined (R74)", async () => {
      const world = await openWorld();
      const { request } = await world.beginRun();
      const firstSequence = world.sequence + 1n;
      await world.apply(put("a/x", { observed: 50, quarantineReason: "too large" }));
      await world.verifyResource(request.runId, PODS, 100, firstSequence);
      expect(await outcomeOf(world, "pods")).toMatchObject({ reason: null, verified: true });
    });

    it("Forbidden is not readable while the resource type has no rows and was never verified (R75)", async () => {
      const world = await openWorld();
      const { request } = await world.beginRun();
      const failure = { reason: "Forbidden", message: "pods is forbidden" } as never;
      await world.verifyResource(request.runId, PODS, "", world.sequence + 1n, world.next(), { failure });
      await world.verifyResource(request.runId, CONFIG_MAPS, 100, world.sequence + 1n);
      expect(await outcomeOf(world, "pods")).toMatchObject({
        not_readable: true,
        availability: "NOT_READABLE",
        state: "SUCCEEDED",
      });
    });

    it.each(["rows", "a verified time"])(
      "Forbidden is a failure of a resource type with %s (R75)",
      async (kind) => {
        const world = await openWorld();
        if (kind === "rows") {
          await world.apply(put("a/x", { observed: 10 }));
        } else {
          await world.verifyAll(40);
        }
        const { request } = await world.beginRun();
        const failure = { reason: "Forbidden", message: "pods is forbidden" } as never;
        await world.verifyResource(request.runId, PODS, "", world.sequence + 1n, world.next(), { failure });
        await world.verifyResource(request.runId, CONFIG_MAPS, 100, world.sequence + 1n);
        expect(await outcomeOf(world, "pods")).toMatchObject({
          not_readable: false,
          availability: "READABLE",
          state: "PARTIAL",
        });
      },
    );

    it("of a run whose resource types are all unreadable fails it (R75)", async () => {
      const world = await openWorld();
      const { request } = await world.beginRun();
      const failure = { reason: "Forbidden", message: "forbidden" } as never;
      for (const resource of [PODS, CONFIG_MAPS]) {
        await world.verifyResource(request.runId, resource, "", world.sequence + 1n, world.next(), {
          failure,
        });
      }
      expect(await outcomeOf(world, "pods")).toMatchObject({ state: "FAILED" });
    });
  });

  describe("an inventory after versions went back", () => {
    it("trusts no row of an older incarnation (R76)", async () => {
      const world = await openWorld();
      await world.apply(put("a/x", { observed: 600 }));
      await world.connect("agent-1");
      await world.declare();
      const restored = batch([put("a/y", { observed: 700 })], PODS, undefined, world.epoch);
      await world.store.applyBatch(world.signal, world.next(), restored);
      const { inventories } = await world.beginRun();
      const pods = inventories.find(({ resourceType }) => resourceType?.resource === "pods");
      expect(pods?.objects.map(({ ref, checksum }) => [ref?.name, checksum.byteLength])).toEqual([
        ["x", 0],
        ["y", 32],
      ]);
    });

    it("reads a stored incarnation above the epoch as 0 (R76)", async () => {
      const world = await openWorld();
      await world.apply(put("a/x", { observed: 10 }));
      await world.sql("UPDATE resource_state SET incarnation = 9223372036854775000 WHERE cluster = $1");
      const { inventories } = await world.beginRun();
      expect(inventories.map(({ incarnation }) => incarnation)).toEqual([0n, 0n]);
      await world.apply(put("a/x", { observed: 20 }));
      expect(await world.row("a/x")).toMatchObject({ observed: "20" });
      expect(
        await world.sql(
          "SELECT DISTINCT incarnation FROM resource_state WHERE resource = 'pods' AND cluster = $1",
        ),
      ).toEqual([{ incarnation: "0" }]);
    });
  });
}

async function outcomeOf(world: World, resource: string) {
  const rows = await world.sql(
    `SELECT k.resource, k.failure_reason AS reason, k.ended_at IS NOT NULL AS ended, k.not_readable, r.state,
            s.verified_at IS NOT NULL AS verified, s.availability, s.low_watermark::text
     FROM reconciliation_result k
     JOIN reconciliation_run r ON r.id = k.run_id
     JOIN resource_state s ON s.account = k.account AND s.cluster = k.cluster AND s.resource = k.resource
     WHERE k.cluster = $1 ORDER BY r.started_at DESC`,
  );
  return rows.find((row) => row["resource"] === resource);
}
