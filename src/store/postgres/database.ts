import { hash } from "node:crypto";
import { PrismaPg } from "@prisma/adapter-pg";
import pg from "pg";
import { PrismaClient } from "../../../gen/prisma/client.ts";
import { QueryTimeoutError, toStoreError } from "./sql-error.ts";

/** One pool of connections, with Prisma's typed queries and plain SQL over it. */
export interface Database extends AsyncDisposable {
  readonly prisma: PrismaClient;
  readonly pool: pg.Pool;
  /**
   * Runs `work` in one transaction that holds the cluster's lock and may write objects. Errors of the driver come
   * out as `RetryableError`, `PoisonError` or `TerminalError`, and nothing is left behind.
   */
  transaction<T>(cluster: ClusterKey, work: (client: pg.ClientBase) => Promise<T>): Promise<T>;
}

/** Names a cluster of an account. */
export interface ClusterKey {
  readonly account: string;
  readonly cluster: string;
}

/** How to connect. */
export interface DatabaseOptions {
  readonly url: string;
  /** Most connections; default 10. */
  readonly maxConnections?: number;
  readonly timeouts?: Partial<DatabaseTimeouts>;
}

/**
 * Longest waits, in milliseconds. Each of them holds a connection, and the waits of one cluster would soon
 * hold all connections of the pool: none may be without an end.
 */
export interface DatabaseTimeouts {
  /** For each lock of a transaction. It passes, so the transaction is tried again. */
  readonly lockMs: number;
  /** Between two statements, until Postgres ends the transaction: a frozen process keeps no lock. 0: never. */
  readonly idleMs: number;
  /** For the answer to a query. */
  readonly queryMs: number;
}

/**
 * A good transaction keeps its lock for less than 2 s and sends its statements one after the other. The
 * slowest good query counts all objects of a page of clusters: 2.4 s for 800,000. 30 s leaves it a factor of
 * ten, and is still short for the case that it is there for: a peer that has vanished.
 */
const TIMEOUTS: DatabaseTimeouts = { lockMs: 2_000, idleMs: 10_000, queryMs: 30_000 };

/** Idle time of a connection before TCP probes it; the default of Linux is two hours. */
const KEEP_ALIVE_MS = 10_000;

/** Opens a pool; nothing is connected before the first query. */
export function createDatabase({ url, maxConnections = 10, timeouts = {} }: DatabaseOptions): Database {
  const { lockMs, idleMs, queryMs } = { ...TIMEOUTS, ...timeouts };
  const pool = new pg.Pool({
    connectionString: url,
    max: maxConnections,
    connectionTimeoutMillis: 10_000,
    query_timeout: queryMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    application_name: "evenkeel",
  });
  // A connection that breaks is replaced by the pool, and its query rejects; without listeners these events, of idle
  // connections and of those in use, would end the process.
  pool.on("error", () => {});
  pool.on("connect", (client) => client.on("error", () => {}));
  const settings = [
    "SET LOCAL evenkeel.writer = 'ingester'",
    `SET LOCAL lock_timeout = '${lockMs}ms'`,
    `SET LOCAL idle_in_transaction_session_timeout = '${idleMs}ms'`,
  ];
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool) });
  return {
    prisma,
    pool,
    transaction: (cluster, work) => runTransaction(pool, settings, cluster, work),
    async [Symbol.asyncDispose]() {
      await prisma.$disconnect();
      await pool.end();
    },
  };
}

/** Runs the query and translates what it throws. */
export async function translated<T>(query: () => Promise<T>): Promise<T> {
  try {
    return await query();
  } catch (cause) {
    throw toStoreError(cause);
  }
}

async function runTransaction<T>(
  pool: pg.Pool,
  settings: readonly string[],
  cluster: ClusterKey,
  work: (client: pg.ClientBase) => Promise<T>,
): Promise<T> {
  const client = await translated(() => pool.connect());
  let broken: Error | undefined;
  try {
    await client.query(
      // In one round trip. The isolation does not depend on the database's default: a snapshot from before
      // the lock would show rows as they were before the last holder's changes.
      [
        "BEGIN ISOLATION LEVEL READ COMMITTED",
        ...settings,
        `SELECT pg_advisory_xact_lock(${lockKeyOf(cluster)})`,
      ].join("; "),
    );
    const result = await work(client);
    await client.query("COMMIT");
    return result;
  } catch (cause) {
    const error = toStoreError(cause);
    // A ROLLBACK would wait for the same answer. Without its connection Postgres rolls back by itself.
    broken = error instanceof QueryTimeoutError ? error : await rollback(client);
    throw error;
  } finally {
    client.release(broken);
  }
}

/** Returns an error when the connection cannot be used again. */
async function rollback(client: pg.PoolClient): Promise<Error | undefined> {
  try {
    await client.query("ROLLBACK");
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** 64 bits of a hash: two clusters that share a key wait for each other now and then, and nothing else. */
function lockKeyOf({ account, cluster }: ClusterKey): bigint {
  return hash("sha256", JSON.stringify(["evenkeel", account, cluster]), "buffer").readBigInt64BE();
}
