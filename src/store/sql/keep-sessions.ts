import type { Pool } from "pg";
import type { SessionKey } from "../session-store.ts";

/** Records that these sessions are alive, and returns those that are no longer current. */
export async function keepSessions(pool: Pool, sessions: readonly SessionKey[]): Promise<SessionKey[]> {
  const { rows } = await pool.query<{ account: string; cluster: string; epoch: string }>(KEEP_SESSIONS, [
    sessions.map(({ account }) => account),
    sessions.map(({ cluster }) => cluster),
    sessions.map(({ epoch }) => epoch),
  ]);
  const current = new Set(rows.map((row) => `${row.account} ${row.cluster} ${row.epoch}`));
  return sessions.filter(({ account, cluster, epoch }) => !current.has(`${account} ${cluster} ${epoch}`));
}

const KEEP_SESSIONS = `
UPDATE agent_session s SET seen_at = now()
FROM unnest($1::text[], $2::text[], $3::bigint[]) AS k(account, cluster, epoch), cluster c
WHERE s.account = k.account AND s.cluster = k.cluster AND s.epoch = k.epoch AND s.closed_at IS NULL
  AND c.account = k.account AND c.name = k.cluster AND c.epoch = k.epoch
RETURNING s.account, s.cluster, s.epoch`;
