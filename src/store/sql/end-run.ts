import type { ClientBase } from "pg";
import type { ClusterKey } from "../postgres/database.ts";

/** Ends the run once none of its kinds is pending: SUCCEEDED, PARTIAL or, when no kind was verified, FAILED. */
export async function endRunWhenComplete(
  client: ClientBase,
  { account, cluster }: ClusterKey,
  runId: string,
  now: Date,
): Promise<void> {
  await client.query(END_RUN, [account, cluster, runId, now]);
}

const END_RUN = `
UPDATE reconciliation_run r SET
  ended_at = $4,
  state = CASE WHEN kinds.failed = 0 THEN 'SUCCEEDED' WHEN kinds.failed < kinds.total THEN 'PARTIAL' ELSE 'FAILED' END,
  error_reason = CASE WHEN kinds.failed > 0 THEN 'KindsFailed' END,
  error_message = CASE WHEN kinds.failed > 0 THEN kinds.failed || ' of ' || kinds.total || ' kinds were not verified' END
FROM (
  SELECT count(*) AS total, count(failure_reason) AS failed, count(*) FILTER (WHERE ended_at IS NULL) AS pending
  FROM reconciliation_kind WHERE account = $1 AND cluster = $2 AND run_id = $3
) kinds
WHERE r.account = $1 AND r.cluster = $2 AND r.id = $3 AND r.ended_at IS NULL AND kinds.pending = 0`;
