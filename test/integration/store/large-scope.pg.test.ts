import { expect, it } from "vitest";
import { describeWithPostgres } from "../../support/postgres/postgres.ts";
import { resourceType } from "../../support/store/messages.ts";
import { World } from "../../support/store/world.ts";

/** Much below the time limit of a statement, 30 s, and much above the time on a busy machine. */
const MAX_MS = 5_000;

describeWithPostgres("the largest scope", (database) => {
  it.each([
    [50, 5_000],
    [500, 500],
    [5_000, 50],
  ])(
    "is applied soon with %i resource types in %i namespaces, also when they change (L9)",
    async (types, count) => {
      await using world = new World(database.url, `scope-${types}`);
      await world.connect();
      const all = Array.from({ length: types }, (_, index) => resourceType("example.com", "v1", `r${index}`));
      for (const first of [0, 1]) {
        const names = Array.from({ length: count }, (_, index) => `n${index + first}`.padEnd(63, "x"));
        const start = performance.now();
        await world.declare(all, names);
        expect(performance.now() - start).toBeLessThan(MAX_MS);
        expect(
          await world.sql(
            `SELECT count(*)::int AS types, min(cardinality(namespaces)) AS namespaces
           FROM resource_state WHERE cluster = $1 AND namespaces @> ARRAY['${names.at(-1)}']`,
          ),
        ).toEqual([{ types, namespaces: count }]);
      }
    },
  );
});
