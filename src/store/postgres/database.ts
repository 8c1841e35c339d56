import { hash } from "node:crypto";
import { PrismaPg } from "@prisma/adapter-pg";
import pg from "pg";
import { PrismaClient } from "../../../gen/prisma/client.ts";
import { toError } from "../../lib/errors.ts";
import { QueryTimeoutError, toStoreError } from "./sql-error.ts";

/** A pool of connections for Prisma's typed queries and for plain SQL. */
export interface Database extends AsyncDisposable {
  readonly prisma: PrismaClient;
  readonly pool: pg.Pool;
  /**
   * Runs `work` in one transaction that holds the cluster's lock and may write objects. An error rolls it back. Errors
   * of the driver become `RetryableError`, `PoisonError` or `TerminalError`.
   */
  transaction<T>(cluster: ClusterKey, work: (client: pg.ClientBase) => Promise<T>): Promise<T>;
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
}

/**
 * Longest waits, in milliseconds. Each wait holds a connection. Unlimited waits of one cluster would soon hold all
 * connections of the pool.
 */
export interface DatabaseTimeouts {
  /** For each lock of a transaction. The condition is temporary, so the transaction is retried. */
  readonly lockMs: number;
  /** Between two statements. Then Postgres ends the transaction, so a frozen process loses its lock. 0: no limit. */
  readonly idleMs: number;
  /** For the answer to a query. */
  readonly queryMs: number;
}

/**
 * Default timeouts. A healthy transaction holds its lock for less than 2 s and sends its statements without pauses. The
 * slowest healthy query counts all objects of a page of clusters: 2.4 s for 800,000 objects. 30 s is more than ten
 * times that, and still short enough to detect a peer that has vanished.
 */
const TIMEOUTS: DatabaseTimeouts = { lockMs: 2_000, idleMs: 10_000, queryMs: 30_000 };

/** Idle time of a connection before TCP probes it; the default of Linux is two hours. */
const KEEP_ALIVE_MS = 10_000;

/** Creates a pool. It connects at the first query. */
export function createDatabase({ url, maxConnections = 10, timeouts = {} }: DatabaseOptions): Database {
  const pool = new pg.Pool({
    connectionString: url,
    max: maxConnections,
    connectionTimeoutMillis: 10_000,
    query_timeout: timeouts.queryMs ?? TIMEOUTS.queryMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    application_name: "evenkeel",
  });
  // The pool replaces a broken connection, and its query rejects. Without listeners these events of idle and used
  // connections would end the process.
  pool.on("error", () => {});
  pool.on("connect", (client) => client.on("error", () => {}));
  return createDatabaseOn(pool, timeouts);
}

/** Creates the database of {@link createDatabase} on another pool. Its end ends the pool. */
export function createDatabaseOn(pool: pg.Pool, timeouts: Partial<DatabaseTimeouts> = {}): Database {
  const { lockMs, idleMs } = { ...TIMEOUTS, ...timeouts };
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
  return await translated(query);
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
      // In one round trip. The isolation level must not depend on the database's default: a snapshot from before the
      // lock would hide the changes of the last holder.
      ["BEGIN ISOLATION LEVEL READ COMMITTED", ...settings, toLockStatement(cluster)].join("; "),
    );
    const result = await work(client);
    await client.query("COMMIT");
    return result;
  } catch (cause) {
    const error = toStoreError(cause);
    // A ROLLBACK would wait for the same answer. Postgres rolls back by itself when the connection closes.
    broken = error instanceof QueryTimeoutError ? error : await rollback(client);
    throw error;
  } finally {
    client.release(broken);
  }
}

/** Rolls back. Returns an error if the connection cannot be used again. */
async function rollback(client: pg.PoolClient): Promise<Error | undefined> {
  try {
    await client.query("ROLLBACK");
    return undefined;
  } catch (error) {
    return toError(error);
  }
}

function toLockStatement(cluster: ClusterKey): string {
  return `SELECT pg_advisory_xact_lock(${lockKeyOf(cluster)})`;
}

/** Returns 64 bits of a hash. Two clusters with the same key sometimes wait for each other, without other effects. */
function lockKeyOf({ account, cluster }: ClusterKey): bigint {
  return hash("sha256", JSON.stringify(["evenkeel", account, cluster]), "buffer").readBigInt64BE();
}
