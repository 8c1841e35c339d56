import type { Pool } from "pg";
import type { SessionKey } from "../session-store.ts";

/**
 * Returns the sessions that have declared a scope, without an active run and without a run that began in the last
 * `intervalMs`. A dry run counts only while it is active. A resource type that joined the scope after the last run was
 * answered makes its cluster due, once no other has joined for 5 seconds.
 */
export async function listDue(
  pool: Pool,
  sessions: readonly SessionKey[],
  intervalMs: number,
): Promise<SessionKey[]> {
  const { rows } = await pool.query<{ account: string; cluster: string; epoch: string }>(LIST_DUE, [
    sessions.map(({ account }) => account),
    sessions.map(({ cluster }) => cluster),
    sessions.map(({ epoch }) => epoch),
    intervalMs,
  ]);
  return rows.map((row) => ({ ...row, epoch: BigInt(row.epoch) }));
}

// Stored times decide, so neither a restart nor a flapping agent loses or multiplies runs. A run that a new session
// ended early does not count, nor does one in the future, which is from before the database's clock went back.
const LIST_DUE = `
SELECT k.account, k.cluster, k.epoch
FROM unnest($1::text[], $2::text[], $3::bigint[]) AS k(account, cluster, epoch)
JOIN agent_session s ON s.account = k.account AND s.cluster = k.cluster AND s.epoch = k.epoch
WHERE s.scope_generation > 0
  AND NOT EXISTS (
    SELECT FROM reconciliation_run r
    WHERE r.account = k.account AND r.cluster = k.cluster
      AND (r.ended_at IS NULL
           OR (r.started_at > now() - $4 * interval '1 ms' AND r.started_at <= now() AND r.state <> 'SUPERSEDED'
               AND NOT r.dry_run
               AND NOT COALESCE((
                 SELECT max(t.joined_at) > r.answered_at AND max(t.joined_at) < now() - interval '5 seconds'
                 FROM resource_state t
                 WHERE t.account = k.account AND t.cluster = k.cluster
                   AND t.availability NOT IN ('UNDECIDED', 'WITHHELD')
               ), FALSE)))
  )`;
