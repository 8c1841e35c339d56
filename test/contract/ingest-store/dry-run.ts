import { describe, expect, it } from "vitest";
import type { BatchItem } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { CONFIG_MAPS, PODS, put, remove } from "../../support/store/messages.ts";
import type { World } from "../../support/store/world.ts";
import { withSeed } from "../../support/vitest/seeded.ts";
import { openWorlds } from "./open-worlds.ts";

const MINUTE = 60_000;

/** Dry runs: they find what a run would repair, and change nothing. */
export function describeDryRun(database: { readonly url: string }): void {
  const openWorld = openWorlds(database);

  const runs = (world: World): Promise<unknown[]> =>
    world.sql(
      "SELECT state, dry_run, failure_reason FROM reconciliation_run WHERE cluster = $1 ORDER BY started_at",
    );
  const found = (world: World, table = "dry_run_finding"): Promise<unknown[]> =>
    world.sql(
      `SELECT name, type, cause, detail, differences FROM ${table} WHERE cluster = $1 ORDER BY namespace, name`,
    );

  /** Breaks rows in each way, and returns what an agent answers. */
  async function breakRows(world: World): Promise<BatchItem[]> {
    await world.apply(
      put("a/edited", { observed: 10 }),
      put("a/gone", { observed: 11 }),
      put("a/same", { observed: 12 }),
      put("a/stale", { observed: 13, data: '{"replicas":1}' }),
    );
    await world.verifyAll(40);
    await world.sql("UPDATE kubernetes_object SET content = '{}' WHERE cluster = $1 AND name = 'edited'");
    return [
      put("a/edited", { observed: 70, version: "10" }),
      remove("a/gone", 70),
      put("a/new", { observed: 70, version: "66" }),
      put("a/same", { observed: 70, version: "12" }),
      put("a/stale", { observed: 70, version: "65", data: '{"replicas":3}' }),
    ];
  }

  describe("a dry run", () => {
    it("finds what is wrong, and leaves objects, resource types and findings as they are (R82)", async () => {
      const world = await openWorld();
      const answers = await breakRows(world);
      const before = await world.hash();
      const { request, inventories } = await world.beginRun(true);
      expect(request.dryRun).toBe(true);
      expect(inventories).toHaveLength(2);
      const first = world.sequence + 1n;
      await world.judge(request.runId, answers);
      await world.verifyResource(request.runId, PODS, 90, first, world.next(), {
        ...{ listed: 4n, equal: 0n, put: 4n, deleted: 1n },
      });
      await world.verifyResource(request.runId, CONFIG_MAPS, 90, world.sequence + 1n);
      expect(await world.hash()).toBe(before);
      expect(await found(world)).toMatchObject([
        { name: "edited", type: "STALE_ROW", cause: "MANUAL_EDIT" },
        { name: "gone", type: "GHOST_ROW", cause: "MISSED_CHANGE", differences: [] },
        { name: "new", type: "MISSING_ROW", cause: "MISSED_CHANGE", differences: [] },
        {
          name: "stale",
          type: "STALE_ROW",
          cause: "MISSED_CHANGE",
          detail: "resource version 13 instead of 65",
          differences: [{ path: "/data/replicas", stored: "1", observed: "3" }],
        },
      ]);
      expect(await runs(world)).toEqual([
        { state: "SUCCEEDED", dry_run: false, failure_reason: null },
        { state: "SUCCEEDED", dry_run: true, failure_reason: null },
      ]);
      expect(
        await world.sql(
          `SELECT k.put::int, k.deleted::int FROM reconciliation_result k JOIN reconciliation_run r ON r.id = k.run_id
           WHERE k.cluster = $1 AND dry_run AND resource = 'pods'`,
        ),
      ).toEqual([{ put: 4, deleted: 1 }]);
    });

    it("changes nothing if its comparison fails, or has answers out of scope or without a form in Postgres (R82)", async () => {
      const world = await openWorld();
      await breakRows(world);
      await world.declare([PODS, CONFIG_MAPS], ["a"]);
      const before = await world.hash();
      const { request } = await world.beginRun(true);
      const first = world.sequence + 1n;
      await world.judge(request.runId, [
        put("a/nul", { observed: 70, data: '{"\\u0000":"\\u0000"}' }),
        put("a/stale", { observed: 70, version: "65", data: '{"\\u0000":"\\ud800"}' }),
        put("b/foreign", { observed: 70 }),
        put("a/bad", { observed: 70, content: "42" }),
      ]);
      const failure = { reason: "Forbidden", message: "no list" };
      await world.verifyResource(request.runId, PODS, "", first, world.next(), { failure });
      world.next();
      await world.verifyResource(request.runId, CONFIG_MAPS, 90, world.sequence);
      expect(await world.hash()).toBe(before);
      expect((await runs(world)).at(-1)).toMatchObject({
        state: "FAILED",
        failure_reason: "ResourcesFailed",
      });
      expect(await found(world)).toMatchObject([
        { name: "bad" },
        { name: "nul" },
        { name: "stale", differences: [{ path: "/data/\ufffd" }, { path: "/data/replicas" }] },
      ]);
    });

    it("judges as a run writes, for any rows and answers (R82)", async () => {
      await withSeed("judges as a run writes, for any rows and answers", async (random) => {
        for (let round = 0; round < 6; round += 1) {
          await compareWithRun(await openWorld(), random.float);
        }
      });
    });

    it("lets live changes through, which its findings take into account (R82)", async () => {
      const world = await openWorld();
      await world.apply(put("a/x", { observed: 10 }));
      await world.verifyAll(40);
      const { request } = await world.beginRun(true);
      await world.apply(put("a/x", { observed: 65 }));
      await world.judge(request.runId, [put("a/x", { observed: 70, version: "65" })]);
      expect(await found(world)).toEqual([]);
      expect(await world.row("a/x")).toMatchObject({ observed: "65" });
    });

    it("does not count as a run that verifies: the next one by interval is due, the retention purges it (R82)", async () => {
      const world = await openWorld();
      await world.verifyAll(40);
      await world.sql(
        "UPDATE reconciliation_run SET started_at = now() - interval '1 hour' WHERE cluster = $1",
      );
      const due = async (): Promise<number> =>
        (await world.runs.listDue(world.signal, [world.at(0n)], MINUTE)).length;
      const { request } = await world.beginRun(true);
      await world.judge(request.runId, [put("a/x", { observed: 70 })]);
      expect(await due()).toBe(0);
      for (const resourceType of [PODS, CONFIG_MAPS]) {
        await world.verifyResource(request.runId, resourceType, 90, world.sequence + 1n);
      }
      expect(await due()).toBe(1);
      expect(await found(world)).toHaveLength(1);
      await world.sql(
        "UPDATE reconciliation_run SET ended_at = now() - interval '1 hour' WHERE cluster = $1",
      );
      await world.runs.purge(world.signal, MINUTE);
      expect(await found(world)).toEqual([]);
    });

    it("counts a batch once, however often it is delivered, and forgets an earlier attempt (R82)", async () => {
      const world = await openWorld();
      const { request } = await world.beginRun(true);
      const copies = async (): Promise<unknown> => {
        const [row] = await world.sql(
          "SELECT scope_changes::int AS n FROM reconciliation_result WHERE cluster = $1 AND resource = 'pods'",
        );
        return row?.["n"];
      };
      const position = world.next();
      const items = [put("a/x", { observed: 10 }), put("a/y", { observed: 10 })];
      for (const index of [0, 0, 1, 1, 0]) {
        const part = { index, count: 2 };
        await world.judge(request.runId, items.slice(index, index + 1), 1, { ...position, part });
      }
      expect(await copies()).toBe(2);
      await world.answer(request);
      expect(await copies()).toBe(0);
      await world.judge(request.runId, items, 1);
      expect(await copies()).toBe(0);
      await world.judge(request.runId, items, 2);
      expect(await copies()).toBe(2);
    });

    it("ignores answers to another run, and after its end (R82)", async () => {
      const world = await openWorld();
      const answers = await breakRows(world);
      const { request } = await world.beginRun();
      await world.judge(request.runId, answers);
      expect(await found(world)).toEqual([]);
      for (const resourceType of [PODS, CONFIG_MAPS]) {
        await world.verifyResource(request.runId, resourceType, 90, world.sequence + 1n);
      }
      const { request: dry } = await world.beginRun(true);
      await world.connect();
      await world.judge(dry.runId, answers);
      expect(await found(world)).toEqual([]);
    });

    it("begins without the scope that a run would apply (R82)", async () => {
      const world = await openWorld();
      await world.sql("DELETE FROM resource_state WHERE cluster = $1 AND resource = 'pods'");
      const before = await world.hash();
      await world.beginRun(true);
      expect(await world.hash()).toBe(before);
    });
  });

  /** Asserts that a dry run finds what a run with the same answers repairs afterwards. */
  async function compareWithRun(world: World, random: () => number): Promise<void> {
    const pick = (count: number): number => Math.floor(random() * count);
    const observe = (version: number): BatchItem => {
      const key = `a/${pick(8)}`;
      const init = { observed: version, version: String(version - pick(30)), data: String(pick(3)) };
      return random() < 0.3 ? remove(key, version) : put(key, init);
    };
    for (let version = 50; version < 70; version += 1) {
      await world.apply(observe(version));
    }
    await world.verifyAll(69 + pick(5));
    for (let version = 80; version < 90; version += 1) {
      await world.apply(observe(version));
    }
    const edits = [
      "DELETE FROM kubernetes_object WHERE cluster = $1 AND name = '1'",
      `UPDATE kubernetes_object SET content = '{"data":7}' WHERE cluster = $1 AND name = '2' AND state = 'present'`,
      "UPDATE kubernetes_object SET observed_version = 99999 WHERE cluster = $1 AND name = '3'",
      "UPDATE kubernetes_object SET content_format = 'f0' WHERE cluster = $1 AND name = '4'",
    ];
    for (const statement of edits.filter(() => random() < 0.6)) {
      await world.sql(statement);
    }
    const version = 85 + pick(20);
    const answers = Array.from({ length: 8 }, (_, name) =>
      random() < 0.3
        ? remove(`a/${name}`, version)
        : put(`a/${name}`, { observed: version, version: String(40 + pick(60)), data: String(pick(3)) }),
    );
    const counts = (runId: string): Promise<unknown[]> =>
      world.sql(
        `SELECT resource, format_changes, scope_changes FROM reconciliation_result
         WHERE cluster = $1 AND run_id = '${runId}' ORDER BY 1`,
      );
    const before = await world.hash();
    const { request: dry } = await world.beginRun(true);
    await world.judge(dry.runId, answers);
    expect(await world.hash()).toBe(before);
    const judged = await counts(dry.runId);
    await world.runs.failRun(world.signal, world.at(0n), dry.runId, { reason: "Test", message: "ended" });
    const { request } = await world.beginRun();
    await world.repair(request.runId, ...answers);
    expect(await found(world)).toEqual(await found(world, "reconciliation_finding"));
    expect(judged).toEqual(await counts(request.runId));
  }
}
