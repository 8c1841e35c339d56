import type { ClientBase, Pool } from "pg";
import type { ClusterKey } from "../postgres/database.ts";
import { SESSION_TIMEOUT_MS, type SessionKey } from "../session-store.ts";

/** Closes the session, unless it is closed. With `reserve`, its agent may open the next one for some time. */
export async function closeSession(
  pool: Pool,
  { account, cluster, epoch }: SessionKey,
  reserve: boolean,
): Promise<void> {
  await pool.query(CLOSE_SESSION, [account, cluster, epoch, reserve]);
}

const CLOSE_SESSION = `
UPDATE agent_session SET
  closed_at = now(), reserved_until = CASE WHEN $4 THEN now() + interval '${SESSION_TIMEOUT_MS} ms' END
WHERE account = $1 AND cluster = $2 AND epoch = $3 AND closed_at IS NULL`;

/**
 * Closes all open sessions and removes all standbys, for the only process of a database at its start: a process that
 * was killed has left them, and their agents ended with it.
 */
export async function closeLeftSessions(pool: Pool): Promise<void> {
  await pool.query("UPDATE agent_session SET closed_at = now() WHERE closed_at IS NULL");
  await pool.query("DELETE FROM agent_standby");
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

/** Deletes some sessions that were closed more than `retentionMs` ago, and returns their number. */
export async function purgeSessions(client: ClientBase, retentionMs: number, limit: number): Promise<number> {
  const { rowCount } = await client.query(PURGE_SESSIONS, [retentionMs, limit]);
  return rowCount ?? 0;
}

const PURGE_SESSIONS = `
DELETE FROM agent_session WHERE (account, cluster, epoch) IN (
  SELECT account, cluster, epoch FROM agent_session
  WHERE closed_at < now() - $1 * interval '1 ms'
  ORDER BY closed_at LIMIT $2 FOR UPDATE SKIP LOCKED
)`;
