import { expect, it } from "vitest";
import { describeWithPostgres } from "../../support/postgres/postgres.ts";
import { put } from "../../support/store/messages.ts";
import { World } from "../../support/store/world.ts";

describeWithPostgres("the object table", (database) => {
  it("updates a row heap-only when its page has room, because no index has a column that a write changes", async () => {
    await using world = new World(database.url, "heap-only");
    await world.connect();
    await world.declare();
    await world.apply(put("a/x", { observed: 1 }));
    for (let observed = 2; observed <= 11; observed++) {
      await world.apply(put("a/x", { observed }));
    }
    const pages = await world.sql<{ page: string }>(
      "SELECT DISTINCT (ctid::text::point)[0]::text AS page FROM kubernetes_object WHERE cluster = $1",
    );
    expect(pages).toHaveLength(1);
    const [columns] = await world.sql<{ columns: string[] }>(
      `SELECT array_agg(DISTINCT a.attname::text ORDER BY a.attname::text) AS columns
       FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
       WHERE i.indrelid = 'kubernetes_object'::regclass AND $1 <> ''`,
    );
    expect(columns?.columns).toEqual(["account", "api_group", "cluster", "name", "namespace", "resource"]);
  });
});
