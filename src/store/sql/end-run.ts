import type { ClientBase, Pool } from "pg";
import type { ClusterKey } from "../postgres/database.ts";
import type { RunFailure } from "../run-store.ts";

/**
 * Ends the run once none of its results is pending. A resource type that is not readable counts neither as verified nor
 * as failed. FAILED if no resource type was verified, PARTIAL if one failed, WITHHELD if deletions of one are withheld,
 * otherwise SUCCEEDED. A run whose resource types are all withheld is WITHHELD.
 */
export async function endRunWhenComplete(
  client: ClientBase,
  { account, cluster }: ClusterKey,
  runId: string,
): Promise<void> {
  await client.query(END_RUN, [account, cluster, runId]);
}

const END_RUN = `
UPDATE reconciliation_run r SET
  ended_at = now(),
  state = CASE WHEN results.verified = 0 AND (results.failed > 0 OR results.withheld = 0) THEN 'FAILED'
               WHEN results.failed > 0 THEN 'PARTIAL'
               WHEN results.withheld > 0 THEN 'WITHHELD' ELSE 'SUCCEEDED' END,
  failure_reason = CASE WHEN results.total = 0 THEN 'NoScope'
                        WHEN results.failed > 0 THEN 'ResourcesFailed'
                        WHEN results.withheld > 0 THEN 'DeletesWithheld'
                        WHEN results.verified = 0 THEN 'NotReadable' END,
  failure_message = CASE WHEN results.total = 0 THEN 'the scope has no resource types'
                         WHEN results.failed > 0
                           THEN results.failed || ' of ' || results.total || ' resource types were not verified'
                         WHEN results.withheld > 0
                           THEN results.deletions || ' deletions of ' || results.withheld
                             || ' resource types wait for a decision: see "evenkeel deletions list"'
                         WHEN results.verified = 0 THEN 'the agent may not list any resource type of the scope' END
FROM (
  SELECT count(*) AS total,
         count(*) FILTER (WHERE failure_reason <> 'DeletesWithheld' AND NOT not_readable) AS failed,
         count(*) FILTER (WHERE failure_reason = 'DeletesWithheld') AS withheld,
         sum(withheld) AS deletions,
         count(*) FILTER (WHERE failure_reason IS NULL) AS verified,
         count(*) FILTER (WHERE ended_at IS NULL) AS pending
  FROM reconciliation_result WHERE account = $1 AND cluster = $2 AND run_id = $3
) results
WHERE r.account = $1 AND r.cluster = $2 AND r.id = $3 AND r.ended_at IS NULL AND results.pending = 0`;

/** Ends the run as FAILED, unless it has ended. */
export async function failRun(
  client: ClientBase | Pool,
  { account, cluster }: ClusterKey,
  runId: string,
  { reason, message }: RunFailure,
): Promise<void> {
  await client.query(FAIL_RUN, [account, cluster, runId, reason, message]);
}

const FAIL_RUN = `
UPDATE reconciliation_run SET state = 'FAILED', ended_at = now(), failure_reason = $4, failure_message = $5
WHERE account = $1 AND cluster = $2 AND id = $3 AND ended_at IS NULL`;

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

/** Deletes some runs that ended more than `retentionMs` ago, with their results and findings. Returns their number. */
export async function purgeRuns(client: ClientBase, retentionMs: number, limit: number): Promise<number> {
  const { rows } = await client.query<{ count: string }>(PURGE_RUNS, [retentionMs, limit]);
  return Number(rows[0]?.count ?? 0);
}

const PURGE_RUNS = `
WITH old AS (
  DELETE FROM reconciliation_run WHERE (account, cluster, id) IN (
    SELECT account, cluster, id FROM reconciliation_run
    WHERE ended_at < now() - $1 * interval '1 ms'
    ORDER BY ended_at LIMIT $2 FOR UPDATE SKIP LOCKED
  )
  RETURNING account, cluster, id
),
results AS (
  DELETE FROM reconciliation_result r USING old
  WHERE r.account = old.account AND r.cluster = old.cluster AND r.run_id = old.id
),
dry_run_findings AS (
  DELETE FROM dry_run_finding f USING old
  WHERE f.account = old.account AND f.cluster = old.cluster AND f.run_id = old.id
),
findings AS (
  DELETE FROM reconciliation_finding f USING old
  WHERE f.account = old.account AND f.cluster = old.cluster AND f.run_id = old.id
)
SELECT count(*) AS count FROM old`;
