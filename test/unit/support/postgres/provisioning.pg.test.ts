import pg from "pg";
import { expect, it } from "vitest";
import { createTestDatabase, describeWithPostgres } from "../../../support/postgres/postgres.ts";

describeWithPostgres("a test database", (database) => {
  it("has the schema", async () => {
    expect(await tables(database.url)).toContain("kubernetes_object");
  });

  it("is nobody else's", async () => {
    await using other = await createTestDatabase();
    expect(other.url).not.toBe(database.url);
    expect(await tables(other.url)).toContain("cluster");
  });
});

async function tables(url: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string }>(
      "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'",
    );
    return rows.map(({ name }) => name);
  } finally {
    await client.end();
  }
}
