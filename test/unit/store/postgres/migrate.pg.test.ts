import { execFile } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import pg from "pg";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { ConfigError, TerminalError } from "../../../../src/lib/errors.ts";
import {
  listPendingMigrations,
  type Migration,
  migrate,
  readMigrations,
} from "../../../../src/store/postgres/migrate.ts";
import { eventually } from "../../../support/e2e/eventually.ts";
import { createPrograms } from "../../../support/e2e/programs.ts";
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

  /** Runs a statement in a connection of its own, which keeps its locks. */
  const holdLock = async (text: string) => {
    const holder = new pg.Client({ connectionString: url, application_name: "holder" });
    await holder.connect();
    await holder.query(text);
    const { rows } = await holder.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
    return { pid: rows[0]?.pid, end: () => holder.end() };
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

  it("leave no lock and no setting in their session, as a pooler requires (L17)", async () => {
    const query = vi.spyOn(pg.Client.prototype, "query");
    await migrate(url, [FIRST, SECOND]);
    const texts = query.mock.calls.map(([text]: readonly unknown[]) => String(text));
    query.mockRestore();
    const locks = texts.filter((text) => text.includes("pg_advisory"));
    expect(locks).toHaveLength(3);
    expect(locks.filter((text) => !text.includes("pg_advisory_xact_lock"))).toEqual([]);
    expect(texts.filter((text) => /\bSET (?!LOCAL)/.test(text.replace(SECOND.sql, "")))).toEqual([]);
  });

  it("wait for Prisma's lock, and name its holder once (L17)", async () => {
    const holder = await holdLock("SELECT pg_advisory_lock(72707369)");
    const reasons: string[] = [];
    const waiting = Promise.withResolvers<void>();
    const onWait = (reason: string): void => {
      reasons.push(reason);
      waiting.resolve();
    };
    const migrating = migrate(url, [FIRST], { onWait });
    await waiting.promise;
    expect(await tables()).toEqual([]);
    await holder.end();
    expect(await migrating).toEqual(["1_first"]);
    expect(reasons).toEqual([
      `waiting for the migration lock, held by pid ${holder.pid} ("holder", idle); ` +
        `wait for its end, or run SELECT pg_terminate_backend(${holder.pid})`,
    ]);
  });

  it("wait for the lock of a table only briefly at a time, and name its holder (L17)", async () => {
    await migrate(url, [FIRST]);
    const holder = await holdLock("BEGIN; LOCK TABLE first IN ACCESS SHARE MODE");
    const alter = migration("2_alter", "ALTER TABLE first ADD COLUMN name text");
    const waiting = Promise.withResolvers<string>();
    const migrating = migrate(url, [FIRST, alter], { onWait: waiting.resolve });
    expect(await waiting.promise).toContain(
      `a lock of a table, held by pid ${holder.pid} ("holder", idle in transaction)`,
    );
    await holder.end();
    expect(await migrating).toEqual(["2_alter"]);
  });

  it("end at the signal while they wait or run, and roll back (L17)", async () => {
    const slow = migration("1_slow", "CREATE TABLE slow (id int); SELECT pg_sleep(60)");
    const running = new AbortController();
    const migrating = migrate(url, [slow], { signal: running.signal });
    const isSleeping = async (): Promise<boolean> => {
      const { rowCount } = await client.query("SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
      return rowCount !== 0;
    };
    while (!(await isSleeping())) {
      await new Promise(setImmediate);
    }
    running.abort(new Error("stop"));
    await expect(migrating).rejects.toThrow("stop");
    expect(await tables()).toEqual([]);
    await client.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
  });

  it("end within 5 s of SIGTERM while another connection has the lock (L17)", async () => {
    const holder = await holdLock("SELECT pg_advisory_lock(72707369)");
    await using programs = createPrograms();
    const program = programs.start("migrate", "--database-url", url);
    await eventually("the name of the holder", async () => {
      expect(program.stderr()).toContain(`held by pid ${holder.pid} ("holder", idle)`);
    });
    const begun = performance.now();
    expect((await program.end("SIGTERM")).code).toBe(130);
    expect(performance.now() - begun).toBeLessThan(5_000);
    await holder.end();
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
