import { hash } from "node:crypto";
import { PrismaPg } from "@prisma/adapter-pg";
import pg from "pg";
import { PrismaClient } from "../../gen/prisma/client.ts";
import { toStoreError } from "./sql-error.ts";

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
}

/** Opens a pool; nothing is connected before the first query. */
export function createDatabase({ url, maxConnections = 10 }: DatabaseOptions): Database {
  const pool = new pg.Pool({
    connectionString: url,
    max: maxConnections,
    connectionTimeoutMillis: 10_000,
    application_name: "evenkeel",
  });
  // A connection that breaks is replaced by the pool, and its query rejects; without listeners these events, of idle
  // connections and of those in use, would end the process.
  pool.on("error", () => {});
  pool.on("connect", (client) => client.on("error", () => {}));
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool) });
  return {
    prisma,
    pool,
    transaction: (cluster, work) => runTransaction(pool, cluster, work),
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
  cluster: ClusterKey,
  work: (client: pg.ClientBase) => Promise<T>,
): Promise<T> {
  const client = await translated(() => pool.connect());
  let broken: Error | undefined;
  try {
    await client.query(
      // Whatever the database prefers: a snapshot from before the lock would show what the one before has changed since.
      `BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL evenkeel.writer = 'ingester'; SELECT pg_advisory_xact_lock(${lockKeyOf(cluster)})`,
    );
    const result = await work(client);
    await client.query("COMMIT");
    return result;
  } catch (cause) {
    broken = await rollback(client);
    throw toStoreError(cause);
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
