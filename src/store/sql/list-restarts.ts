import type { Pool } from "pg";
import type { SessionKey, SessionRestart } from "../session-store.ts";

/** Returns the open ones of these sessions that must restart. */
export async function listRestarts(pool: Pool, sessions: readonly SessionKey[]): Promise<SessionRestart[]> {
  const { rows } = await pool.query<{ account: string; cluster: string; epoch: string; reason: string }>(
    LIST_RESTARTS,
    [
      sessions.map(({ account }) => account),
      sessions.map(({ cluster }) => cluster),
      sessions.map(({ epoch }) => epoch),
    ],
  );
  return rows.map(({ reason, ...row }) => ({ session: { ...row, epoch: BigInt(row.epoch) }, reason }));
}

const LIST_RESTARTS = `
SELECT s.account, s.cluster, s.epoch, s.restart_reason AS reason
FROM unnest($1::text[], $2::text[], $3::bigint[]) AS k(account, cluster, epoch)
JOIN agent_session s ON s.account = k.account AND s.cluster = k.cluster AND s.epoch = k.epoch
WHERE s.restart_reason IS NOT NULL AND s.closed_at IS NULL`;
