import type { Pool } from "pg";

/** Ends as EXPIRED the runs whose deadline has passed. If several backends do so at once, each run ends once. */
export async function expireRuns(pool: Pool): Promise<number> {
  const { rowCount } = await pool.query(EXPIRE_RUNS);
  return rowCount ?? 0;
}

// After the database's clock went back, the deadline of a run that began in the future may be far away.
const EXPIRE_RUNS = `
UPDATE reconciliation_run SET
  state = 'EXPIRED', ended_at = now(), failure_reason = 'DeadlineExceeded',
  failure_message = 'the run did not end before its deadline'
WHERE (account, cluster, id) IN (
  SELECT account, cluster, id FROM reconciliation_run
  WHERE ended_at IS NULL AND (deadline_at <= now() OR started_at > now() + interval '5 s')
  FOR UPDATE SKIP LOCKED
)`;
