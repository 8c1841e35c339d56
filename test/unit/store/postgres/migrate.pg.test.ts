import { execFile } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import pg from "pg";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ConfigError, TerminalError } from "../../../../src/lib/errors.ts";
import {
  listPendingMigrations,
  type Migration,
  migrate,
  readMigrations,
} from "../../../../src/store/postgres/migrate.ts";
import { describeWithPostgres } from "../../../support/postgres/postgres.ts";

function migration(name: string, sql: string): Migration {
  return { name, sql, checksum: createHash("sha256").update(sql).digest("hex") };
}

const FIRST = migration("1_first", "CREATE TABLE first (id int)");
const SECOND = migration("2_second", "CREATE TABLE second (id int); INSERT INTO first VALUES (1)");

describeWithPostgres("migrations", (database) => {
  let client: pg.Client;
  let url: string;

  // An empty schema replaces an empty database.
  beforeEach(async () => {
    const schema = `s${randomUUID().replaceAll("-", "")}`;
    url = `${database.url}${database.url.includes("?") ? "&" : "?"}options=${encodeURIComponent(`-c search_path=${schema}`)}`;
    client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query(`CREATE SCHEMA ${schema}`);
  });
  afterEach(() => client.end());

  const tables = async (): Promise<string[]> => {
    const { rows } = await client.query<{ name: string }>(
      `SELECT tablename AS name FROM pg_tables WHERE schemaname = current_schema() AND tablename NOT LIKE '\\_%' ORDER BY 1`,
    );
    return rows.map(({ name }) => name);
  };

  it("are applied once by two processes at once", async () => {
    const program = fileURLToPath(new URL("../../../../src/main/evenkeel.ts", import.meta.url));
    // The program must not see the variables of the test run.
    const run = () =>
      promisify(execFile)(process.execPath, [program, "migrate", "--database-url", url], { env: {} });
    const results = await Promise.all([run(), run()]);
    const applied = results.map(({ stdout }) => stdout.includes("applied"));
    expect(applied.sort()).toEqual([false, true]);
    expect(await tables()).toContain("kubernetes_object");
  });

  it("are applied in order, once", async () => {
    expect(await migrate(url, [FIRST])).toEqual(["1_first"]);
    expect(await migrate(url, [FIRST, SECOND])).toEqual(["2_second"]);
    expect(await migrate(url, [FIRST, SECOND])).toEqual([]);
    expect(await tables()).toEqual(["first", "second"]);
  });

  it("of this version create its schema in an empty database", async () => {
    expect(await migrate(url)).toEqual(readMigrations().map(({ name }) => name));
    expect(await tables()).toContain("kubernetes_object");
  });

  it("compress contents with lz4 if the server supports it", async () => {
    await migrate(url);
    const { rowCount } = await client.query(
      "SELECT 1 FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)",
    );
    const { rows } = await client.query(
      "SELECT attcompression AS by FROM pg_attribute WHERE attrelid = 'kubernetes_object'::regclass AND attname = 'content'",
    );
    expect(rows).toEqual([{ by: rowCount === 0 ? "" : "l" }]);
  });

  it("are refused in a database that is not UTF-8, and so is the start of programs", async () => {
    const name = `latin_${randomUUID().replaceAll("-", "")}`;
    await client.query(
      `CREATE DATABASE ${name} ENCODING LATIN1 TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'`,
    );
    const latin = new URL(database.url);
    latin.pathname = `/${name}`;
    await expect(migrate(latin.href)).rejects.toThrow("expected the encoding UTF8, found LATIN1");
    await expect(listPendingMigrations(latin.href)).rejects.toThrow(ConfigError);
    await client.query(`DROP DATABASE ${name} WITH (FORCE)`);
  });

  it("are recorded in Prisma's format", async () => {
    await migrate(url, [FIRST]);
    const { rows } = await client.query(`SELECT * FROM "_prisma_migrations"`);
    expect(rows).toMatchObject([
      { migration_name: "1_first", checksum: FIRST.checksum, applied_steps_count: 1, rolled_back_at: null },
    ]);
    expect(rows[0]?.finished_at).toBeInstanceOf(Date);
  });

  it("are applied once each if several programs start at once", async () => {
    const all = await Promise.all(Array.from({ length: 4 }, () => migrate(url, [FIRST, SECOND])));
    expect(all.flat().sort()).toEqual(["1_first", "2_second"]);
    const { rows } = await client.query("SELECT * FROM first");
    expect(rows).toHaveLength(1);
  });

  it("are refused if one was changed after it was applied", async () => {
    await migrate(url, [FIRST]);
    const changed = migration("1_first", "CREATE TABLE first (id bigint)");
    await expect(migrate(url, [changed, SECOND])).rejects.toThrow(
      `migration 1_first: changed after it was applied; expected checksum ${FIRST.checksum}, found ${changed.checksum}`,
    );
    expect(await tables()).toEqual(["first"]);
  });

  it("are refused on a newer database", async () => {
    await migrate(url, [FIRST, SECOND]);
    await expect(migrate(url, [FIRST])).rejects.toThrow(
      "migration 2_second: applied to the database but unknown to this version",
    );
  });

  it("are refused while one that Prisma began is unfinished", async () => {
    await migrate(url, [FIRST]);
    await client.query(
      `INSERT INTO "_prisma_migrations" (id, checksum, migration_name) VALUES ('x', $1, $2)`,
      [SECOND.checksum, SECOND.name],
    );
    await expect(migrate(url, [FIRST, SECOND])).rejects.toThrow("prisma migrate resolve");
    await client.query(`UPDATE "_prisma_migrations" SET rolled_back_at = now() WHERE id = 'x'`);
    expect(await migrate(url, [FIRST, SECOND])).toEqual(["2_second"]);
  });

  it("are rolled back with the reason if one fails, and can be repaired", async () => {
    const broken = migration("2_second", "CREATE TABLE second (id int); SELECT 1/0");
    const failed = migrate(url, [FIRST, broken]);
    await expect(failed).rejects.toThrow(TerminalError);
    await expect(failed).rejects.toThrow(/migration 2_second: failed and was rolled back: division by zero/);
    expect(await tables()).toEqual(["first"]);
    expect(await migrate(url, [FIRST, SECOND])).toEqual(["2_second"]);
  });

  it("are rolled back if the connection breaks, and the process continues", async () => {
    const killer = migration(
      "2_second",
      "CREATE TABLE second (id int); SELECT pg_terminate_backend(pg_backend_pid())",
    );
    await expect(migrate(url, [FIRST, killer])).rejects.toThrow("migration 2_second: failed");
    expect(await tables()).toEqual(["first"]);
  });
});
