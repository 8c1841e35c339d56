import { once } from "node:events";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { ConflictError, RetryableError } from "../../../../src/lib/errors.ts";
import { createDatabase, type Database } from "../../../../src/store/postgres/database.ts";
import { PoisonError } from "../../../../src/store/postgres/sql-error.ts";
import { describeWithPostgres } from "../../../support/postgres/postgres.ts";

const CLUSTER = { account: "acme", cluster: "c1" };

describeWithPostgres("a database", (provided) => {
  let database: Database;
  let other: Database;

  beforeEach(() => {
    database = createDatabase({ url: provided.url, maxConnections: 2 });
    other = createDatabase({ url: provided.url, maxConnections: 2 });
  });
  afterEach(async () => {
    await database[Symbol.asyncDispose]();
    await other[Symbol.asyncDispose]();
  });

  /** Resolves when any transaction waits for an advisory lock. */
  const someoneWaits = async (): Promise<"waits"> => {
    for (;;) {
      const { rowCount } = await database.pool.query(
        "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
      );
      if (rowCount === 1) {
        return "waits";
      }
    }
  };

  it("runs one transaction of a cluster at a time, other clusters in parallel (R21, R38)", async () => {
    const begun = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    const order: string[] = [];
    const first = database.transaction(CLUSTER, async () => {
      begun.resolve();
      await gate.promise;
      order.push("first");
    });
    await begun.promise;
    const second = other.transaction(CLUSTER, async () => void order.push("second"));
    expect(await Promise.race([second, someoneWaits()])).toBe("waits");
    await other.transaction({ account: "acme", cluster: "c2" }, async () => void order.push("c2"));
    gate.resolve();
    await Promise.all([first, second]);
    expect(order).toEqual(["c2", "first", "second"]);
  });

  it("reads nothing before it has the lock, with any default isolation of the database", async () => {
    await database.pool.query("CREATE TABLE turn (value int)");
    await database.pool.query("INSERT INTO turn VALUES (0)");
    const name = new URL(provided.url).pathname.slice(1);
    await database.pool.query(`ALTER DATABASE ${name} SET default_transaction_isolation = 'repeatable read'`);
    try {
      await using strict = createDatabase({ url: provided.url });
      const begun = Promise.withResolvers<void>();
      const gate = Promise.withResolvers<void>();
      const first = strict.transaction(CLUSTER, async (client) => {
        begun.resolve();
        await gate.promise;
        await client.query("UPDATE turn SET value = 1");
      });
      await begun.promise;
      const second = strict.transaction(CLUSTER, async (client) => {
        const { rows } = await client.query<{ value: number }>("SELECT value FROM turn");
        return rows[0]?.value;
      });
      await someoneWaits();
      gate.resolve();
      await first;
      expect(await second).toBe(1);
    } finally {
      await database.pool.query(`ALTER DATABASE ${name} RESET default_transaction_isolation`);
    }
  });

  it("rolls back when the work throws, and rethrows its error", async () => {
    await database.pool.query("CREATE TABLE left_behind (id int)");
    const reason = new ConflictError("another run is active");
    const failed = database.transaction(CLUSTER, async (client) => {
      await client.query("INSERT INTO left_behind VALUES (1)");
      throw reason;
    });
    await expect(failed).rejects.toBe(reason);
    expect((await database.pool.query("SELECT * FROM left_behind")).rowCount).toBe(0);
  });

  it("translates errors of Postgres, and the connection is used again", async () => {
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const failed = database.transaction(CLUSTER, (client) =>
        client.query(`SELECT '{"a":"\\u0000"}'::jsonb`),
      );
      await expect(failed).rejects.toThrow(PoisonError);
    }
    expect(database.pool.totalCount).toBe(1);
  });

  it("survives a connection that breaks during a transaction, with a RetryableError", async () => {
    const failed = database.transaction(CLUSTER, async (client) => {
      const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
      // The connection breaks while no query is pending.
      const ended = new Promise((resolve) => client.once("end", resolve));
      await other.pool.query("SELECT pg_terminate_backend($1)", [rows[0]?.pid]);
      await ended;
      await client.query("SELECT 1");
    });
    await expect(failed).rejects.toThrow(RetryableError);
    await database.transaction(CLUSTER, (client) => client.query("SELECT 1"));
  });

  const SETTINGS = ["lock_timeout", "idle_in_transaction_session_timeout", "statement_timeout"];
  const SELECT_SETTINGS = `SELECT ${SETTINGS.map((name) => `current_setting('${name}')`).join(" || ' ' || ")} AS all`;

  it("limits locks, idle times and statements, also of a single statement and of Prisma (I9)", async () => {
    const inTransaction = await database.transaction(CLUSTER, (client) => client.query(SELECT_SETTINGS));
    expect(inTransaction.rows).toEqual([{ all: "2s 10s 25s" }]);
    expect((await database.pool.query(SELECT_SETTINGS)).rows).toEqual([{ all: "2s 10s 25s" }]);
    expect(await database.prisma.$queryRawUnsafe(SELECT_SETTINGS)).toEqual([{ all: "2s 10s 25s" }]);
  });

  it("leaves no setting in the session, which a pooler shares", async () => {
    await database.pool.query("SELECT 1");
    const client = await database.pool.connect();
    const { rows } = await client.query(SELECT_SETTINGS);
    client.release();
    expect(rows).toEqual([{ all: "0 0 0" }]);
  });

  it("ends a statement in Postgres before its client gives up (I9)", async () => {
    await using hasty = createDatabase({
      url: provided.url,
      timeouts: { statementMs: 100, queryMs: 10_000 },
    });
    await expect(hasty.pool.query("SELECT pg_sleep(60)")).rejects.toMatchObject({ code: "57014" });
    await expect(hasty.transaction(CLUSTER, (client) => client.query("SELECT pg_sleep(60)"))).rejects.toThrow(
      RetryableError,
    );
    expect(hasty.pool.totalCount).toBe(1);
  });

  it("ends the wait of a single statement for a lock, in Postgres too (I9)", async () => {
    await database.pool.query("CREATE TABLE held (id int)");
    await using hasty = createDatabase({ url: provided.url, timeouts: { lockMs: 50 } });
    await database.transaction(CLUSTER, async (client) => {
      await client.query("LOCK TABLE held");
      await expect(hasty.pool.query("SELECT * FROM held")).rejects.toMatchObject({ code: "55P03" });
      const { rows } = await client.query(
        "SELECT FROM pg_locks WHERE NOT granted AND relation = 'held'::regclass",
      );
      expect(rows).toEqual([]);
    });
    expect((await hasty.pool.query("SELECT * FROM held")).rows).toEqual([]);
    expect(hasty.pool.totalCount).toBe(1);
  });

  it("ends the wait for a lock with a RetryableError, and the connection is used again (I9)", async () => {
    await using hasty = createDatabase({ url: provided.url, timeouts: { lockMs: 50 } });
    await database.transaction(CLUSTER, async () => {
      await expect(hasty.transaction(CLUSTER, async () => {})).rejects.toThrow(RetryableError);
    });
    await hasty.transaction(CLUSTER, async () => {});
    expect(hasty.pool.totalCount).toBe(1);
  });

  it("loses its lock in a frozen process, so that another one continues (I9)", async () => {
    await using frozen = createDatabase({ url: provided.url, timeouts: { idleMs: 50 } });
    const failed = frozen.transaction(CLUSTER, async (client) => {
      await once(client, "end");
      await client.query("SELECT 1");
    });
    await expect(failed).rejects.toThrow(RetryableError);
    await database.transaction(CLUSTER, (client) => client.query("SELECT 1"));
  });

  it("destroys a connection whose query gets no answer in time, without a ROLLBACK on it (I9)", async () => {
    await using hasty = createDatabase({ url: provided.url, timeouts: { queryMs: 200 } });
    const sent: unknown[] = [];
    const failed = hasty.transaction(CLUSTER, async (client) => {
      const query = vi.spyOn(client, "query");
      try {
        await client.query("SELECT pg_sleep(60)");
      } finally {
        query.mockImplementation(async (text: unknown) => void sent.push(text));
      }
    });
    await expect(failed).rejects.toThrow(RetryableError);
    expect(sent).toEqual([]);
    expect(hasty.pool.totalCount).toBe(0);
  });

  it("destroys a connection to a server that has become a standby (I9)", async () => {
    const failed = database.transaction({ account: "acme", cluster: "standby" }, async (client) => {
      await client.query("SET TRANSACTION READ ONLY");
      await client.query("CREATE TABLE of_primary (id int)");
    });
    await expect(failed).rejects.toThrow(RetryableError);
    expect(database.pool.totalCount).toBe(0);
  });
});
