import type pg from "pg";
import type { Random } from "../../src/lib/random.ts";
import { createDatabaseOn, type Database } from "../../src/store/postgres/database.ts";
import { between, chance } from "./chance.ts";
import type { Effect } from "./coverage.ts";
import type { SimulatedProcess } from "./process.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** Faults of the database, for all processes. A rate is the share of the transactions or queries that it hits. */
export interface DatabaseFaults {
  /** True while the database is gone. */
  isGone: boolean;
  /** Transactions that cannot get the cluster's lock, as if another session held it. */
  lockRate: number;
  /** Transactions whose COMMIT fails and does nothing. */
  failedCommitRate: number;
  /** Transactions whose COMMIT is done, and whose answer is lost. */
  lostCommitRate: number;
}

export function createDatabaseFaults(): DatabaseFaults {
  return { isGone: false, lockRate: 0, failedCommitRate: 0, lostCommitRate: 0 };
}

export interface SimulatedDatabaseOptions {
  readonly pool: pg.Pool;
  readonly time: VirtualTime;
  readonly faults: DatabaseFaults;
  readonly random: Random;
  /** Called for each fault that was injected. */
  readonly onFault: (effect: Effect) => void;
}

/** Time after which a statement gives up waiting for a lock, in milliseconds. */
const LOCK_TIMEOUT_MS = 2_000;

/**
 * The database as one process sees it: queries take virtual time, fail as they fail in Postgres, and are the places at
 * which the process dies. A transaction that the process begins is complete before any other work.
 */
export function connectDatabase(process: SimulatedProcess, options: SimulatedDatabaseOptions): Database {
  const { pool, time, faults, random, onFault } = options;
  const delay = (): number => between(random, 1, 12);
  const fail = (name: Effect, error: Error): never => {
    onFault(name);
    throw error;
  };
  const assertThere = (): void => {
    if (faults.isGone) {
      fail("query refused: database gone", toPgError("the database is gone", "57P03"));
    }
  };
  const overrides = {
    query: (...query: Parameters<pg.Pool["query"]>) =>
      process.call("query", [delay(), delay()], () => {
        assertThere();
        return (pool.query as (...args: unknown[]) => Promise<unknown>).apply(pool, query);
      }),
    connect: () =>
      process.call("begin", [delay(), 0], async () => {
        assertThere();
        if (chance(random, faults.lockRate)) {
          await time.wait(LOCK_TIMEOUT_MS);
          fail("lock held", toPgError("canceling statement due to lock timeout", "55P03"));
        }
        return transactional(await pool.connect());
      }),
  };

  /** The connection of one transaction: its COMMIT crosses the boundary of the process. */
  function transactional(client: pg.PoolClient): pg.PoolClient {
    let isReleased = false;
    const release = (): void => {
      if (!isReleased) {
        isReleased = true;
        forget();
        client.release();
      }
    };
    const forget = process.onDeath(() => {
      // Postgres rolls back when the connection of the dead process breaks.
      void client.query("ROLLBACK").finally(release);
    });
    const query = async (...args: unknown[]): Promise<unknown> => {
      const send = (...all: unknown[]): Promise<unknown> =>
        (client.query as (...all: unknown[]) => Promise<unknown>).apply(client, all);
      if (args[0] !== "COMMIT") {
        return await send(...args);
      }
      const fate = random.float();
      return await process.call("commit", [0, delay()], async () => {
        const isFailed = fate < faults.failedCommitRate;
        const answer = await send(isFailed ? "ROLLBACK" : "COMMIT");
        // The answer is on its way; the session is free for others.
        release();
        if (isFailed) {
          fail("commit failed", toPgError("terminating connection due to administrator command", "57P01"));
        }
        if (fate > 1 - faults.lostCommitRate) {
          fail("commit done, answer lost", new Error("Connection terminated unexpectedly"));
        }
        return answer;
      });
    };
    return override(client, { query, release });
  }

  return createDatabaseOn(override(pool, overrides));
}

function toPgError(message: string, code: string): Error {
  return Object.assign(new Error(message), { code });
}

/** Returns the object with some methods replaced. */
function override<T extends object>(target: T, overrides: object): T {
  return new Proxy(target, {
    get(_, property) {
      const source: object = property in overrides ? overrides : target;
      const value: unknown = Reflect.get(source, property, source);
      return typeof value === "function" ? value.bind(source) : value;
    },
  });
}
