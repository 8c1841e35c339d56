import type { ClientBase, Pool } from "pg";
import type { ClusterKey } from "../postgres/database.ts";
import type { RunFailure } from "../run-store.ts";

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
