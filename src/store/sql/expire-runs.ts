import type { Pool } from "pg";

/** Ends as EXPIRED the runs whose deadline has passed. If several backends do so at once, each run ends once. */
export async function expireRuns(pool: Pool, now: Date): Promise<number> {
  const { rowCount } = await pool.query(EXPIRE_RUNS, [now]);
  return rowCount ?? 0;
}

const EXPIRE_RUNS = `
UPDATE reconciliation_run SET
  state = 'EXPIRED', ended_at = $1, failure_reason = 'DeadlineExceeded',
  failure_message = 'the run did not end before its deadline'
WHERE (account, cluster, id) IN (
  SELECT account, cluster, id FROM reconciliation_run
  WHERE ended_at IS NULL AND deadline_at <= $1
  FOR UPDATE SKIP LOCKED
)`;
