import { describe, expect, it } from "vitest";
import { findCountErrors } from "../../support/store/count-errors.ts";
import { CONFIG_MAPS, PODS, put, remove } from "../../support/store/messages.ts";
import type { World } from "../../support/store/world.ts";
import { openWorlds } from "./open-worlds.ts";

/** The kept numbers of rows. After each test of the contract, `openWorlds` compares them with the rows. */
export function describeCounts(database: { readonly url: string }): void {
  const openWorld = openWorlds(database);

  describe("the numbers of rows of a resource type (L32)", () => {
    it("follow each write of the store", async () => {
      const world = await openWorld();
      await world.apply(
        put("a/1", { observed: 1 }),
        put("a/2", { observed: 2 }),
        put("b/3", { observed: 3 }),
      );
      expect(await counts(world)).toEqual([3, 0, 0]);
      await world.apply(put("a/1", { observed: 4 }), remove("a/2", 5));
      expect(await counts(world)).toEqual([2, 0, 1]);
      await world.apply(put("a/1", { observed: 3 }), remove("a/2", 6), remove("a/unknown", 7));
      expect(await counts(world)).toEqual([2, 0, 2]);
      await world.apply(
        put("a/2", { observed: 8 }),
        put("b/3", { observed: 9, content: "", quarantineReason: "x" }),
      );
      expect(await counts(world)).toEqual([2, 1, 1]);
      await world.apply(put("a/late", { observed: 8 }));
      expect(await counts(world)).toEqual([3, 1, 1]);
      await world.declare([PODS, CONFIG_MAPS], ["a"]);
      expect(await counts(world)).toEqual([3, 0, 1]);
      await world.verifyAll(10);
      expect(await counts(world)).toEqual([3, 0, 0]);
    });

    it("are right again in the next run after other writes, and after none of a dry run", async () => {
      const world = await openWorld();
      await world.apply(
        put("a/1", { observed: 1 }),
        put("a/2", { observed: 2 }),
        put("a/3", { observed: 3 }),
      );
      await world.sql("DELETE FROM kubernetes_object WHERE cluster = $1 AND name = '1'");
      await world.sql("UPDATE kubernetes_object SET state = 'absent' WHERE cluster = $1 AND name = '2'");
      await world.beginRun(true);
      expect(await counts(world)).toEqual([3, 0, 0]);
      await world.sql("DELETE FROM reconciliation_run WHERE cluster = $1");
      await world.beginRun();
      expect(await counts(world)).toEqual([1, 0, 1]);
      expect(await errorsOf(world)).toEqual([]);
    });

    it("are right again in the next run after the row of the resource type was deleted", async () => {
      const world = await openWorld();
      await world.apply(put("a/1", { observed: 1 }), put("a/2", { observed: 2 }));
      await world.sql("DELETE FROM resource_state WHERE cluster = $1");
      await world.beginRun();
      expect(await counts(world)).toEqual([2, 0, 0]);
    });
  });
}

/** Returns the kept numbers of present, quarantined and absent pods. */
async function counts(world: World): Promise<number[]> {
  const [row] = await world.sql<{ kept: string[] }>(
    `SELECT ARRAY[present_rows, quarantined_rows, absent_rows] AS kept
     FROM resource_state WHERE cluster = $1 AND resource = 'pods'`,
  );
  return (row?.kept ?? []).map(Number);
}

async function errorsOf(world: World) {
  const errors = await findCountErrors(world.database.pool);
  return errors.filter(({ cluster }) => cluster === world.cluster);
}
