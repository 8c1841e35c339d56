import type pg from "pg";
import { toError } from "../../lib/errors.ts";
import { isConnectionUseless } from "./sql-error.ts";

/** Runs `work` between the statements `begin` and COMMIT. An error rolls back and is rethrown. */
export async function inTransaction<T>(
  pool: Pick<pg.Pool, "connect">,
  begin: string,
  work: (client: pg.ClientBase) => Promise<T>,
): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query(begin);
    const result = await work(client);
    await client.query("COMMIT");
    return result;
  } catch (cause) {
    // A ROLLBACK would wait for the same answer. Postgres rolls back by itself when the connection closes.
    broken = isConnectionUseless(cause) ? toError(cause) : await rollback(client);
    throw cause;
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
