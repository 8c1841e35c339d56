import type { Pool } from "pg";

/** Deletes runs that ended more than `retentionMs` ago, with their results and findings. */
export async function purgeRuns(pool: Pool, retentionMs: number): Promise<void> {
  await pool.query(PURGE_RUNS, [retentionMs]);
}

const PURGE_RUNS = `
WITH old AS (
  DELETE FROM reconciliation_run WHERE ended_at < now() - $1 * interval '1 ms' RETURNING account, cluster, id
),
results AS (
  DELETE FROM reconciliation_result r USING old
  WHERE r.account = old.account AND r.cluster = old.cluster AND r.run_id = old.id
)
DELETE FROM reconciliation_finding f USING old
WHERE f.account = old.account AND f.cluster = old.cluster AND f.run_id = old.id`;
