import { describe, expect, it } from "vitest";
import { distrustRow, type ScrubRow, selectScrubPage } from "../../../src/store/sql/scrub-rows.ts";
import { batch, PODS, put, remove } from "../../support/store/messages.ts";
import type { World } from "../../support/store/world.ts";
import { openWorlds } from "./open-worlds.ts";

const LIMITS = { maxRows: 1_000, maxBytes: 1024 * 1024 };

/** Changes of stored bytes that no trigger sees, and their repair. */
export function describeScrub(database: { readonly url: string }): void {
  const openWorld = openWorlds(database);

  /** Changes contents as a restore or a damaged page does: no trigger fires. */
  async function damage(world: World, where: string): Promise<void> {
    const client = await world.database.pool.connect();
    try {
      const trigger = "TRIGGER kubernetes_object_distrust_foreign_write";
      await client.query("BEGIN");
      await client.query(`ALTER TABLE kubernetes_object DISABLE ${trigger}`);
      await client.query(
        `UPDATE kubernetes_object SET content = content || '{"data":"damaged"}' WHERE cluster = $1 AND ${where}`,
        [world.cluster],
      );
      await client.query(`ALTER TABLE kubernetes_object ENABLE ALWAYS ${trigger}`);
      await client.query("COMMIT");
    } finally {
      client.release();
    }
  }

  const scrub = (world: World, limits: Partial<typeof LIMITS> = {}) =>
    world.store.scrub(world.signal, world.at(0n), PODS, { ...LIMITS, ...limits });
  const trusted = async (world: World): Promise<string[]> =>
    (await world.rows()).filter((row) => row.trusted).map(({ key }) => key);
  const fill = async (world: World, count: number): Promise<void> => {
    await world.apply(...Array.from({ length: count }, (_, index) => put(`a/${index}`, { observed: 10 })));
  };

  // The first test, because the others enable the trigger in this way themselves.
  it("an edit under the replica role clears the checksum too (R81)", async () => {
    const world = await openWorld();
    await fill(world, 2);
    const client = await world.database.pool.connect();
    try {
      await client.query("BEGIN");
      await client.query("SET LOCAL session_replication_role = replica");
      await client.query(
        `UPDATE kubernetes_object SET content = '{}' WHERE cluster = '${world.cluster}' AND name = '1'`,
      );
      await client.query("COMMIT");
    } finally {
      client.release();
    }
    expect(await trusted(world)).toEqual(["a/0"]);
  });

  describe("a scrub", () => {
    it("clears the checksum of content that changed without the trigger, and a run repairs it (R81)", async () => {
      const world = await openWorld();
      await fill(world, 3);
      await world.verifyAll(20);
      await damage(world, "name = '1'");
      expect(await trusted(world)).toEqual(["a/0", "a/1", "a/2"]);
      expect(await scrub(world)).toEqual({ rows: 3, damaged: [{ namespace: "a", name: "1" }] });
      expect(await trusted(world)).toEqual(["a/0", "a/2"]);
      const { request, inventories } = await world.beginRun();
      const pods = inventories.find(({ resourceType }) => resourceType?.resource === "pods");
      expect(pods?.objects.map(({ checksum }) => checksum.length)).toEqual([32, 0, 32]);
      const repair = batch([put("a/1", { observed: 30, version: "10" })], PODS, request.runId);
      await world.store.applyBatch(world.signal, world.next(), repair);
      expect(await trusted(world)).toEqual(["a/0", "a/1", "a/2"]);
      expect(await world.sql("SELECT name, cause FROM reconciliation_finding WHERE cluster = $1")).toEqual([
        { name: "1", cause: "MANUAL_EDIT" },
      ]);
      expect(await scrub(world)).toEqual({ rows: 3, damaged: [] });
    });

    it("continues behind the rows that the last one read, and begins again at the end (R81)", async () => {
      const world = await openWorld();
      await fill(world, 5);
      const next = () => scrub(world, { maxRows: 2 });
      expect(await next()).toEqual({ rows: 2, damaged: [] });
      await damage(world, "name = '0'");
      expect(await next()).toEqual({ rows: 2, damaged: [] });
      expect(await next()).toEqual({ rows: 1, damaged: [] });
      expect(await next()).toEqual({ rows: 2, damaged: [{ namespace: "a", name: "0" }] });
    });

    it("stops after the row with which it exceeds its bytes, and continues in pages below them (R81)", async () => {
      const world = await openWorld();
      await fill(world, 250);
      expect(await scrub(world, { maxBytes: 1 })).toEqual({ rows: 1, damaged: [] });
      await damage(world, "name = '99'");
      expect(await scrub(world)).toEqual({ rows: 249, damaged: [{ namespace: "a", name: "99" }] });
    });

    it("keeps the checksum of a row that has changed since it was read (R81)", async () => {
      const world = await openWorld();
      await fill(world, 1);
      const cluster = world.at(0n);
      const { rows } = await selectScrubPage(world.database.pool, cluster, PODS, undefined, 10, 1_000);
      await world.apply(put("a/0", { observed: 20 }));
      const isCleared = await world.database.transaction(cluster, (client) =>
        distrustRow(client, cluster, PODS, rows[0] as ScrubRow),
      );
      expect(isCleared).toBe(false);
      expect(await trusted(world)).toEqual(["a/0"]);
    });

    it("reads no rows of other resource types and clusters, no tombstones and no quarantined rows", async () => {
      const [world, other] = [await openWorld(), await openWorld()];
      await other.apply(put("a/x", { observed: 10 }));
      await world.apply(put("a/gone", { observed: 10 }), put("a/bad", { observed: 10, content: "42" }));
      await world.apply(remove("a/gone", 11));
      expect(await scrub(world)).toEqual({ rows: 0, damaged: [] });
    });

    it("accepts numbers and texts that jsonb returns in another form (R81)", async () => {
      const world = await openWorld();
      const data = '[9007199254740993,0.1,100000000000000000000000,"<\\n\u2028",{"aa":1,"b":2}]';
      await world.apply(put("a/x", { observed: 10, data }));
      expect(await scrub(world)).toEqual({ rows: 1, damaged: [] });
    });
  });
}
