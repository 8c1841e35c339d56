import type { Pool } from "pg";

/** Returns the time of the database, to compare with the times of rows that Prisma read. */
export async function selectNow(pool: Pool): Promise<Date> {
  const { rows } = await pool.query<{ now: Date }>("SELECT clock_timestamp() AS now");
  const [row] = rows;
  if (row === undefined) {
    throw new Error("time of the database: expected one row, found none");
  }
  return row.now;
}
