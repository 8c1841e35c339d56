import type { Pool } from "pg";
import type { Clock } from "../../lib/clock.ts";
import type { Database } from "./database.ts";

/** Returns the time of the database, to compare with the times of rows that Prisma read. */
export async function selectNow(pool: Pool): Promise<Date> {
  const { rows } = await pool.query<{ now: Date }>("SELECT clock_timestamp() AS now");
  const [row] = rows;
  if (row === undefined) {
    throw new Error("time of the database: expected one row, found none");
  }
  return row.now;
}

/**
 * Returns by how many milliseconds the process's clock is ahead of the database's; negative if it is behind. Half of
 * the round trip is the error of the measurement and is subtracted: a slow answer is no skew.
 *
 * @throws the error of the query
 */
export async function readClockSkew({ pool }: Pick<Database, "pool">, clock: Clock): Promise<number> {
  const started = clock.monotonic();
  const now = await selectNow(pool);
  const halfTrip = (clock.monotonic() - started) / 2;
  const ahead = clock.now().getTime() - halfTrip - now.getTime();
  return Math.sign(ahead) * Math.max(0, Math.abs(ahead) - halfTrip);
}
