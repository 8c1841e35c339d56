import { createServer } from "node:net";
import { expect, it } from "vitest";
import { NEVER } from "../../../src/lib/abort.ts";
import { ConfigError } from "../../../src/lib/errors.ts";
import { assertMigrated } from "../../../src/main/program-context.ts";
import { listen } from "../../../src/rpc/server/listen.ts";
import { createDatabase } from "../../../src/store/postgres/database.ts";
import { describeWithPostgres } from "../../support/postgres/postgres.ts";
import { createTestLog } from "../../support/vitest/test-log.ts";

describeWithPostgres("the check of the schema at start", (provided) => {
  it("assertMigrated refuses a database that lacks migrations", async () => {
    await using database = createDatabase({ url: provided.url });
    await database.pool.query(`ALTER TABLE "_prisma_migrations" RENAME TO kept`);
    try {
      const refused = assertMigrated(NEVER, provided.url, createTestLog());
      await expect(refused).rejects.toThrow(ConfigError);
      await expect(refused).rejects.toThrow(/^the database lacks .*; run "evenkeel migrate" first$/);
    } finally {
      await database.pool.query(`ALTER TABLE kept RENAME TO "_prisma_migrations"`);
    }
  });

  it("assertMigrated accepts a database that fails in an unknown way, and logs the failure", async () => {
    // A view in place of the table fails with a code that the adapter does not know.
    await using database = createDatabase({ url: provided.url });
    await database.pool.query(`ALTER TABLE "_prisma_migrations" RENAME TO kept`);
    await database.pool.query(
      `CREATE FUNCTION failing() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'unknown' USING ERRCODE = 'XX000'; END $$`,
    );
    await database.pool.query(
      `CREATE VIEW "_prisma_migrations" AS
       SELECT failing() AS migration_name, '' AS checksum, now() AS finished_at, NULL AS rolled_back_at`,
    );
    try {
      const log = createTestLog();
      await assertMigrated(NEVER, provided.url, log);
      expect(log.lines).toEqual([
        expect.stringMatching(/^warn schema not checked.*: Postgres: statement refused: unknown/),
      ]);
    } finally {
      await database.pool.query(`DROP VIEW "_prisma_migrations"`);
      await database.pool.query(`ALTER TABLE kept RENAME TO "_prisma_migrations"`);
    }
  });

  it("assertMigrated accepts a server with another protocol", async () => {
    const server = createServer((socket) => socket.on("error", () => {}).end("HTTP/1.1 400 Bad Request\r\n"));
    const port = await listen(new AbortController().signal, server, "127.0.0.1", 0);
    try {
      const log = createTestLog();
      await assertMigrated(NEVER, `postgres://127.0.0.1:${port}/x?sslmode=require`, log);
      expect(log.lines).toHaveLength(1);
    } finally {
      server.close();
    }
  });

  it("assertMigrated refuses a URL that is not valid", async () => {
    const refused = assertMigrated(NEVER, "postgres://user@host:port/x", createTestLog());
    await expect(refused).rejects.toThrow(ConfigError);
  });
});
