import { type EventEmitter, once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Client } from "pg";
import { describe, expect, it } from "vitest";
import { openEmbeddedPostgres } from "../../../../src/dev/embedded-postgres/embedded-postgres.ts";
import { createDatabase } from "../../../../src/store/postgres/database.ts";

describe("the embedded Postgres", () => {
  it("does not interleave the extended queries of two clients", async () => {
    await using postgres = await openEmbeddedPostgres();
    const [first, second] = await Promise.all([connect(postgres.url), connect(postgres.url)]);
    const { connection } = first as unknown as { connection: WireConnection };
    // The client expects no answers to messages that it has not sent.
    for (const event of ["parseComplete", "dataRow", "commandComplete", "readyForQuery", "errorMessage"]) {
      connection.removeAllListeners(event);
    }
    connection.parse({ text: "SELECT $1::text AS value" });
    connection.flush();
    await once(connection, "parseComplete");
    const others = second.query("SELECT $1::int + $2::int AS sum", [1, 2]);
    // The other client must wait. Otherwise it replaces the statement well within this time.
    await Promise.race([others, delay(300)]);
    const answered = Promise.race([once(connection, "dataRow"), once(connection, "errorMessage")]);
    connection.bind({ values: ["mine"] });
    connection.execute({});
    connection.sync();
    expect((await answered)[0]).toMatchObject({ fields: ["mine"] });
    expect((await others).rows).toEqual([{ sum: 3 }]);
    await Promise.all([first.end(), second.end()]);
  });

  it("serves other clients after one disconnects during a transaction", async () => {
    await using postgres = await openEmbeddedPostgres();
    const first = new Client({ connectionString: postgres.url });
    await first.connect();
    first.on("error", () => {});
    await first.query("BEGIN");
    await first.query("CREATE TABLE t (x int)");
    const second = new Client({ connectionString: postgres.url });
    // It waits from its first message, because the other has not ended its transaction.
    const waiting = second
      .connect()
      .then(() => second.query("SELECT count(*)::int AS tables FROM pg_class WHERE relname = 't'"));
    (first as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
    expect((await waiting).rows).toEqual([{ tables: 0 }]);
    await second.end();
  });

  it("never ends an idle transaction, which would end this process too (I9)", async () => {
    await using postgres = await openEmbeddedPostgres();
    await using database = createDatabase(postgres);
    const setting = await database.transaction({ account: "acme", cluster: "c1" }, async (client) => {
      const { rows } = await client.query("SELECT current_setting('idle_in_transaction_session_timeout')");
      return rows[0];
    });
    expect(setting).toEqual({ current_setting: "0" });
  });

  it("persists commits in a data directory, which it locks", async () => {
    const dataDir = mkdtempSync(join(tmpdir(), "evenkeel-data-"));
    try {
      {
        await using postgres = await openEmbeddedPostgres({ dataDir });
        const client = new Client({ connectionString: postgres.url });
        await client.connect();
        await client.query("CREATE TABLE t AS SELECT 7 AS x");
        await client.end();
        // This process exists, but it is the owner of the lock.
        const { lockDataDir } = await import("../../../../src/dev/embedded-postgres/data-dir-lock.ts");
        expect(() => lockDataDir(dataDir)).not.toThrow();
      }
      await using postgres = await openEmbeddedPostgres({ dataDir });
      const client = new Client({ connectionString: postgres.url });
      await client.connect();
      expect((await client.query("SELECT x FROM t")).rows).toEqual([{ x: 7 }]);
      await client.end();
    } finally {
      rmSync(dataDir, { recursive: true });
    }
  });
});

/** Connection of the driver, with access to single messages. */
interface WireConnection extends EventEmitter {
  parse(query: { readonly text: string }): void;
  bind(options: { readonly values: readonly string[] }): void;
  execute(options: object): void;
  flush(): void;
  sync(): void;
}

async function connect(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  await client.connect();
  return client;
}
