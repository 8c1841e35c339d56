import type { ClientBase } from "pg";
import type { ClusterKey } from "../postgres/database.ts";

/**
 * Ends the run once none of its results is pending. A resource type that is not readable counts neither as verified nor
 * as failed. FAILED if no resource type was verified, otherwise PARTIAL if one failed, otherwise SUCCEEDED.
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
  state = CASE WHEN results.verified = 0 THEN 'FAILED'
               WHEN results.failed > 0 THEN 'PARTIAL' ELSE 'SUCCEEDED' END,
  failure_reason = CASE WHEN results.total = 0 THEN 'NoScope'
                        WHEN results.failed > 0 THEN 'ResourcesFailed'
                        WHEN results.verified = 0 THEN 'NotReadable' END,
  failure_message = CASE WHEN results.total = 0 THEN 'the scope has no resource types'
                         WHEN results.failed > 0
                           THEN results.failed || ' of ' || results.total || ' resource types were not verified'
                         WHEN results.verified = 0 THEN 'the agent may not list any resource type of the scope' END
FROM (
  SELECT count(*) AS total,
         count(*) FILTER (WHERE failure_reason IS NOT NULL AND NOT not_readable) AS failed,
         count(*) FILTER (WHERE failure_reason IS NULL) AS verified,
         count(*) FILTER (WHERE ended_at IS NULL) AS pending
  FROM reconciliation_result WHERE account = $1 AND cluster = $2 AND run_id = $3
) results
WHERE r.account = $1 AND r.cluster = $2 AND r.id = $3 AND r.ended_at IS NULL AND results.pending = 0`;
