import { describe, expect, it } from "vitest";
import type { BatchItem } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { batch, CONFIG_MAPS, PODS, put, remove } from "../../support/store/messages.ts";
import type { World } from "../../support/store/world.ts";
import { openWorlds } from "./open-worlds.ts";

/** Findings of runs: their causes, the fields that differed, and the writes that are no findings. */
export function describeFindings(database: { readonly url: string }): void {
  const openWorld = openWorlds(database);

  const edit = async (world: World, set: string): Promise<void> => {
    await world.sql(`UPDATE kubernetes_object SET ${set} WHERE cluster = $1 AND name = 'x'`);
  };
  const foreignRow = (world: World): Promise<unknown> =>
    world.sql(
      `INSERT INTO kubernetes_object (account, cluster, api_group, resource, namespace, name, api_version, state, uid,
         resource_version, observed_version, content)
       VALUES ('acme', $1, '', 'pods', 'a', 'x', 'v1', 'present', 'foreign', '1', 1, '{}')`,
    );
  const findings = (world: World): Promise<unknown[]> =>
    world.sql("SELECT name, type, cause FROM reconciliation_finding WHERE cluster = $1 ORDER BY name");
  const differences = async (world: World): Promise<unknown> => {
    const rows = await world.sql<{ differences: unknown }>(
      "SELECT differences FROM reconciliation_finding WHERE cluster = $1 ORDER BY name",
    );
    return rows.map((row) => row.differences);
  };

  /** State before the run, the observation that repairs it, and the finding. */
  interface Case {
    /** Applied before the last full pass, at version 40. */
    readonly before?: readonly BatchItem[];
    /** Applied after it, one by one. */
    readonly after?: readonly BatchItem[];
    readonly edit?: (world: World) => Promise<unknown>;
    readonly repair: BatchItem;
    readonly type: string;
    readonly cause: string;
  }

  describe("the cause of a finding", () => {
    const x10 = put("a/x", { observed: 10 });
    const same = put("a/x", { observed: 70, version: "10" });
    const changed = put("a/x", { observed: 70, version: "65" });
    const gone = remove("a/x", 70);
    const raise = (world: World) => edit(world, "observed_version = 99999");
    const drop = (world: World) => world.sql("DELETE FROM kubernetes_object WHERE cluster = $1");
    const missed = "MISSED_CHANGE";
    const manual = "MANUAL_EDIT";
    it.each<[string, Case]>([
      ["a changed object", { before: [x10], repair: changed, type: "STALE_ROW", cause: missed }],
      ["a deleted object", { before: [x10], repair: gone, type: "GHOST_ROW", cause: missed }],
      ["an object above all observed versions", { repair: changed, type: "MISSING_ROW", cause: missed }],
      [
        "an object above its tombstone",
        {
          before: [x10],
          after: [remove("a/x", 41), put("a/y", { observed: 50 })],
          repair: put("a/x", { observed: 70, version: "45", uid: "new" }),
          type: "MISSING_ROW",
          cause: missed,
        },
      ],
      [
        "edited content",
        {
          before: [x10],
          edit: (world) => edit(world, "content = '{}'"),
          repair: same,
          type: "STALE_ROW",
          cause: manual,
        },
      ],
      [
        "an observed version above all",
        { before: [x10], edit: raise, repair: same, type: "STALE_ROW", cause: manual },
      ],
      [
        "a deleted row that the last full pass stored",
        { before: [x10], edit: drop, repair: same, type: "MISSING_ROW", cause: manual },
      ],
      [
        "an inserted row without an object",
        { edit: foreignRow, repair: gone, type: "GHOST_ROW", cause: "GHOST" },
      ],
      [
        "an observed version above all, without an object",
        { before: [x10], edit: raise, repair: gone, type: "GHOST_ROW", cause: "GHOST" },
      ],
      [
        "an object between the last pass and the observed versions",
        {
          after: [put("a/y", { observed: 60 })],
          repair: put("a/x", { observed: 70, version: "55" }),
          type: "MISSING_ROW",
          cause: "UNKNOWN",
        },
      ],
      [
        "other content at the same version",
        {
          before: [x10],
          repair: put("a/x", { observed: 70, version: "10", data: "1" }),
          type: "STALE_ROW",
          cause: "UNKNOWN",
        },
      ],
    ])("is known for %s (R83)", async (_what, { before = [], after = [], edit: change, ...expected }) => {
      const world = await openWorld();
      await world.apply(put("a/z", { observed: 5 }), ...before);
      await world.verifyAll(40);
      for (const item of after) {
        await world.apply(item);
      }
      await change?.(world);
      const { request } = await world.beginRun();
      await world.repair(request.runId, expected.repair);
      const { type, cause } = expected;
      expect(await findings(world)).toEqual([{ name: "x", type, cause }]);
    });
  });

  describe("the fields of a stale row", () => {
    it("are stored with the finding, from before the repair and in every digit (R83)", async () => {
      const world = await openWorld();
      await world.apply(
        put("a/gone", { observed: 10 }),
        put("a/x", { observed: 10, data: '{"a":[1,2],"big":9007199254740993,"same":"s"}' }),
      );
      await world.verifyAll(40);
      const { request } = await world.beginRun();
      await world.repair(
        request.runId,
        remove("a/gone", 70),
        put("a/new", { observed: 70, version: "65" }),
        put("a/x", { observed: 70, version: "65", data: '{"a":[1],"big":9007199254740992,"same":"s"}' }),
      );
      expect(await differences(world)).toEqual([
        [],
        [],
        [
          { path: "/data/a/1", stored: "2", observed: "" },
          { path: "/data/big", stored: "9007199254740993", observed: "9007199254740992" },
        ],
      ]);
    });

    it("stay as they were when the repair is delivered again (R83)", async () => {
      const world = await openWorld();
      await world.apply(put("a/x", { observed: 10, data: "1" }));
      await world.verifyAll(40);
      const { request } = await world.beginRun();
      const repair = batch([put("a/x", { observed: 70, version: "65", data: "2" })], PODS, request.runId);
      const position = world.next();
      await world.store.applyBatch(world.signal, position, repair);
      await world.store.applyBatch(world.signal, position, repair);
      expect(await differences(world)).toEqual([[{ path: "/data", stored: "1", observed: "2" }]]);
    });

    it("are left out for contents above 256 KiB and after 50 findings of a statement (R83)", async () => {
      const world = await openWorld();
      const large = JSON.stringify("x".repeat(256 * 1024));
      const names = Array.from({ length: 60 }, (_, index) => `a/${100 + index}`);
      await world.apply(
        put("a/large", { observed: 10, data: large }),
        ...names.map((name) => put(name, { observed: 10, data: "1" })),
      );
      await world.verifyAll(40);
      const { request } = await world.beginRun();
      await world.repair(request.runId, put("a/large", { observed: 70, version: "65", data: "2" }));
      expect(await differences(world)).toEqual([[]]);
      await world.repair(
        request.runId,
        ...names.map((name) => put(name, { observed: 70, version: "65", data: "2" })),
      );
      const all = (await differences(world)) as unknown[][];
      expect(all.filter((fields) => fields.length > 0)).toHaveLength(50);
    });
  });

  describe("a write that is no finding", () => {
    const counters = (world: World): Promise<unknown[]> =>
      world.sql(
        `SELECT resource, format_changes::int, scope_changes::int FROM reconciliation_result k
         JOIN reconciliation_run r ON r.id = k.run_id
         WHERE k.cluster = $1 AND r.ended_at IS NULL ORDER BY 1`,
      );

    it("is counted as a format change if only the content format differs, once (R83)", async () => {
      const world = await openWorld();
      await world.apply(put("a/x", { observed: 10 }), put("a/y", { observed: 10 }));
      await world.verifyAll(40);
      await setFormat(world, "f0");
      const { request } = await world.beginRun();
      const repair = batch(
        [put("a/x", { observed: 70, version: "10" }), put("a/y", { observed: 70, version: "65" })],
        PODS,
        request.runId,
      );
      const position = world.next();
      await world.store.applyBatch(world.signal, position, repair);
      await world.store.applyBatch(world.signal, position, repair);
      expect(await counters(world)).toEqual([
        { resource: "configmaps", format_changes: 0, scope_changes: 0 },
        { resource: "pods", format_changes: 1, scope_changes: 0 },
      ]);
      expect(await findings(world)).toEqual([{ name: "y", type: "STALE_ROW", cause: "MISSED_CHANGE" }]);
    });

    it("is counted as a scope change in the first copy of a resource type, once (R83)", async () => {
      const world = await openWorld();
      const { request } = await world.beginRun();
      const copy = [put("a/x", { observed: 10 }), put("a/y", { observed: 10 }), remove("a/none", 10)];
      const position = world.next();
      await world.store.applyBatch(world.signal, position, batch(copy, PODS, request.runId));
      await world.store.applyBatch(world.signal, position, batch(copy, PODS, request.runId));
      await world.store.applyBatch(world.signal, world.next(), batch([put("a/live", { observed: 11 })]));
      const other = batch([put("a/c", { observed: 10 })], CONFIG_MAPS, request.runId);
      await world.store.applyBatch(world.signal, world.next(), other);
      expect(await counters(world)).toEqual([
        { resource: "configmaps", format_changes: 0, scope_changes: 1 },
        { resource: "pods", format_changes: 0, scope_changes: 2 },
      ]);
      expect(await findings(world)).toEqual([]);
    });
  });

  /** Gives all rows a content format as an older ingester would have written it. */
  async function setFormat(world: World, format: string): Promise<void> {
    await world.database.transaction(world.at(0n), async (client) => {
      await client.query("UPDATE kubernetes_object SET content_format = $2 WHERE cluster = $1", [
        world.cluster,
        format,
      ]);
    });
  }
}
