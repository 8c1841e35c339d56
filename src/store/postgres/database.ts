import { hash } from "node:crypto";
import { PrismaPg } from "@prisma/adapter-pg";
import type pg from "pg";
import { PrismaClient } from "../../../gen/prisma/client.ts";
import { InvalidArgumentError } from "../../lib/errors.ts";
import { BoundedPool } from "./bounded-pool.ts";
import { PoisonError, toStoreError } from "./sql-error.ts";
import { type DatabaseTimeouts, DEFAULT_TIMEOUTS, toBegin } from "./timeouts.ts";
import { inTransaction } from "./transaction.ts";

/** A pool of connections for Prisma's typed queries and for plain SQL. */
export interface Database extends AsyncDisposable {
  readonly prisma: PrismaClient;
  /** Each statement is a transaction of its own, with timeouts. */
  readonly pool: pg.Pool;
  /**
   * Runs `work` in one transaction that holds the cluster's lock and may write objects. An error rolls it back. Errors
   * of the driver become `RetryableError`, `PoisonError` or `TerminalError`.
   */
  transaction<T>(cluster: ClusterKey, work: (client: pg.ClientBase) => Promise<T>): Promise<T>;
  /** As {@link transaction}, without the lock of a cluster, and for other tables than that of objects. */
  unlocked<T>(work: (client: pg.ClientBase) => Promise<T>): Promise<T>;
}

/** Key of a cluster. */
export interface ClusterKey {
  readonly account: string;
  readonly cluster: string;
}

export interface DatabaseOptions {
  readonly url: string;
  /** Highest number of connections; default 10. */
  readonly maxConnections?: number;
  readonly timeouts?: Partial<DatabaseTimeouts>;
  /** Destroys all connections when it aborts, so that no query outlasts the stop of its program. */
  readonly abort?: AbortSignal;
}

/** Creates a pool. It connects at the first query. */
export function createDatabase({
  url,
  maxConnections = 10,
  timeouts = {},
  abort,
}: DatabaseOptions): Database {
  const complete = { ...DEFAULT_TIMEOUTS, ...timeouts };
  const pool = new BoundedPool(url, maxConnections, complete);
  abort?.addEventListener("abort", () => pool.abort(), { once: true });
  return createDatabaseOn(pool, complete);
}

/** Creates the database of {@link createDatabase} on another pool. Its end ends the pool. */
export function createDatabaseOn(pool: pg.Pool, timeouts = DEFAULT_TIMEOUTS): Database {
  const begin = `${toBegin(timeouts)}; SET LOCAL evenkeel.writer = 'ingester'`;
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool) });
  return {
    prisma,
    pool,
    transaction: (cluster, work) =>
      // The lock in the same round trip.
      translated(() => inTransaction(pool, `${begin}; ${toLockStatement(cluster)}`, work)),
    unlocked: (work) => translated(() => inTransaction(pool, toBegin(timeouts), work)),
    async [Symbol.asyncDispose]() {
      await prisma.$disconnect();
      await pool.end();
    },
  };
}

/** Waits for the lock of another cluster in a transaction, which holds it until its end. */
export async function lockCluster(client: pg.ClientBase, cluster: ClusterKey): Promise<void> {
  await client.query(toLockStatement(cluster));
}

/** Runs the query and translates its errors. */
export async function translated<T>(query: () => Promise<T>): Promise<T> {
  try {
    return await query();
  } catch (cause) {
    throw toStoreError(cause);
  }
}

/** Runs the query of a reader, unless the signal has aborted, and translates its errors. */
export async function read<T>(signal: AbortSignal, query: () => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  try {
    return await translated(query);
  } catch (error) {
    // The rules of the contract refuse such values. This is for one that they forget.
    if (error instanceof PoisonError) {
      const description = "a value of the request is one that the database cannot hold";
      throw new InvalidArgumentError([{ field: "", description }], { cause: error });
    }
    throw error;
  }
}

function toLockStatement(cluster: ClusterKey): string {
  return `SELECT pg_advisory_xact_lock(${lockKeyOf(cluster)})`;
}

/** Returns 64 bits of a hash. Two clusters with the same key sometimes wait for each other, without other effects. */
function lockKeyOf({ account, cluster }: ClusterKey): bigint {
  return hash("sha256", JSON.stringify(["evenkeel", account, cluster]), "buffer").readBigInt64BE();
}
