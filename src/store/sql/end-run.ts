import type { ClientBase } from "pg";
import type { ClusterKey } from "../postgres/database.ts";

/**
 * Ends the run once none of its results is pending: SUCCEEDED, PARTIAL or, if no resource type was verified, FAILED.
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
  state = CASE WHEN results.failed = 0 THEN 'SUCCEEDED'
               WHEN results.failed < results.total THEN 'PARTIAL' ELSE 'FAILED' END,
  failure_reason = CASE WHEN results.failed > 0 THEN 'ResourcesFailed' END,
  failure_message = CASE WHEN results.failed > 0
    THEN results.failed || ' of ' || results.total || ' resource types were not verified' END
FROM (
  SELECT count(*) AS total, count(failure_reason) AS failed, count(*) FILTER (WHERE ended_at IS NULL) AS pending
  FROM reconciliation_result WHERE account = $1 AND cluster = $2 AND run_id = $3
) results
WHERE r.account = $1 AND r.cluster = $2 AND r.id = $3 AND r.ended_at IS NULL AND results.pending = 0`;
