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
      await other.pool.query("SELECT pg_terminate_backend($1)", [rows[0]?.pid]);
      // The connection breaks while no query is pending.
      await new Promise((resolve) => client.once("end", resolve));
      await client.query("SELECT 1");
    });
    await expect(failed).rejects.toThrow(RetryableError);
    await database.transaction(CLUSTER, (client) => client.query("SELECT 1"));
  });

  it("limits each wait for a lock and the idle time of a transaction (I9)", async () => {
    const settings = await database.transaction(CLUSTER, async (client) => {
      const { rows } = await client.query<{ lock: string; idle: string }>(
        "SELECT current_setting('lock_timeout') AS lock, current_setting('idle_in_transaction_session_timeout') AS idle",
      );
      return rows[0];
    });
    expect(settings).toEqual({ lock: "2s", idle: "10s" });
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
});
