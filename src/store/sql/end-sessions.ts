import type { ClientBase } from "pg";
import type { ClusterKey } from "../postgres/database.ts";

/** Finds the binding of a name, also of a removed one. */
export async function findCluster(
  client: ClientBase,
  { account, cluster }: ClusterKey,
): Promise<{ readonly uid: string; readonly isRemoved: boolean } | undefined> {
  const { rows } = await client.query<{ uid: string; is_removed: boolean }>(
    "SELECT uid, removed_at IS NOT NULL AS is_removed FROM cluster WHERE account = $1 AND name = $2",
    [account, cluster],
  );
  const [row] = rows;
  return row && { uid: row.uid, isRemoved: row.is_removed };
}

/**
 * Ends the open session of a cluster and its active run. The next epoch has no session, so the backend that has the
 * stream ends it, and nothing of it counts any more.
 */
export async function endSessions(client: ClientBase, { account, cluster }: ClusterKey): Promise<void> {
  await client.query(NEXT_EPOCH, [account, cluster]);
  await client.query(CLOSE_SESSIONS, [account, cluster]);
  await client.query(SUPERSEDE_RUN, [account, cluster]);
}

const NEXT_EPOCH = `
UPDATE cluster SET epoch = greatest(epoch + 1, floor(extract(epoch FROM now()) * 1000))
WHERE account = $1 AND name = $2`;

const CLOSE_SESSIONS =
  "UPDATE agent_session SET closed_at = now() WHERE account = $1 AND cluster = $2 AND closed_at IS NULL";

const SUPERSEDE_RUN = `
UPDATE reconciliation_run SET
  state = 'SUPERSEDED', ended_at = now(), failure_reason = 'NewSession',
  failure_message = 'an operator ended the session of the cluster'
WHERE account = $1 AND cluster = $2 AND ended_at IS NULL`;
