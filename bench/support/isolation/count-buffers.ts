import type pg from "pg";

interface Plan {
  readonly "Shared Hit Blocks": number;
  readonly "Shared Read Blocks": number;
}

/** A client that counts the buffers of its statements. */
export interface CountingClient {
  readonly client: pg.PoolClient;
  /** Buffers of all statements so far, from cache and from disk. */
  buffers(): number;
}

/**
 * Wraps a client with an open transaction. Each statement runs twice: with EXPLAIN inside a savepoint that is rolled
 * back, and for its result.
 */
export function countBuffers(client: pg.PoolClient): CountingClient {
  let buffers = 0;
  const count = async (text: string, values: readonly unknown[]): Promise<pg.QueryResult> => {
    await client.query("SAVEPOINT counting");
    const explained = await client.query<{ "QUERY PLAN": { Plan: Plan }[] }>(
      `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${text}`,
      [...values],
    );
    const plan = explained.rows[0]?.["QUERY PLAN"][0]?.Plan;
    buffers += (plan?.["Shared Hit Blocks"] ?? 0) + (plan?.["Shared Read Blocks"] ?? 0);
    await client.query("ROLLBACK TO SAVEPOINT counting");
    return await client.query(text, [...values]);
  };
  // One at a time, also if the caller sends several: they share the savepoint.
  let last: Promise<unknown> = Promise.resolve();
  const query = (text: string, values: readonly unknown[] = []): Promise<pg.QueryResult> => {
    const counted = last.then(() => count(text, values));
    last = counted.catch(() => {});
    return counted;
  };
  return { client: Object.assign(Object.create(client), { query }), buffers: () => buffers };
}
