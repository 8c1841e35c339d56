import type { ClientBase, Pool } from "pg";
import type { StandbyAgent, StandbyKey } from "../session-store.ts";
import { isAlive, isReserved } from "./live-sessions.ts";

/**
 * Records that these standbys wait, and returns those whose cluster has no session that is open and alive. Skips those
 * whose row is locked, so that a lock in one cluster harms no other.
 */
export async function keepStandbys(pool: Pool, standbys: readonly StandbyAgent[]): Promise<StandbyKey[]> {
  const { rows } = await pool.query<{ account: string; cluster: string; instance_id: string }>(
    KEEP_STANDBYS,
    [
      standbys.map(({ account }) => account),
      standbys.map(({ cluster }) => cluster),
      standbys.map(({ instanceId }) => instanceId),
      standbys.map(({ agentVersion }) => agentVersion),
    ],
  );
  return rows.map(({ account, cluster, instance_id: instanceId }) => ({ account, cluster, instanceId }));
}

/** Records that the standby has left. */
export async function removeStandby(pool: Pool, { account, cluster, instanceId }: StandbyKey): Promise<void> {
  await pool.query("DELETE FROM agent_standby WHERE account = $1 AND cluster = $2 AND instance_id = $3", [
    account,
    cluster,
    instanceId,
  ]);
}

/** Deletes some standbys that no backend has confirmed for longer than a session may be silent. Returns the number. */
export async function purgeStandbys(client: ClientBase, limit: number): Promise<number> {
  const { rowCount } = await client.query(PURGE_STANDBYS, [limit]);
  return rowCount ?? 0;
}

const PURGE_STANDBYS = `
DELETE FROM agent_standby WHERE (account, cluster, instance_id) IN (
  SELECT account, cluster, instance_id FROM agent_standby
  WHERE NOT (${isAlive("seen_at")})
  LIMIT $1 FOR UPDATE SKIP LOCKED
)`;

// A pause of 5 s between two confirmations restarts kept_since. A session that is silent for a standby kept for 4 s was
// confirmed by no backend although the database answered.
const KEEP_STANDBYS = `
WITH k AS (
  SELECT DISTINCT ON (account, cluster, instance_id) *
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS k(account, cluster, instance_id, agent_version)
  ORDER BY account, cluster, instance_id
),
held AS (
  SELECT s.account, s.cluster, s.instance_id, k.agent_version
  FROM k JOIN agent_standby s USING (account, cluster, instance_id)
  FOR NO KEY UPDATE OF s SKIP LOCKED
),
updated AS (
  UPDATE agent_standby s SET
    agent_version = held.agent_version,
    kept_since = CASE WHEN s.seen_at BETWEEN now() - interval '5 s' AND now() + interval '5 s'
                      THEN least(s.kept_since, now()) ELSE now() END,
    seen_at = now()
  FROM held
  WHERE s.account = held.account AND s.cluster = held.cluster AND s.instance_id = held.instance_id
  RETURNING s.account, s.cluster, s.instance_id, s.kept_since
),
added AS (
  INSERT INTO agent_standby (account, cluster, instance_id, agent_version, kept_since, seen_at)
  SELECT k.account, k.cluster, k.instance_id, k.agent_version, now(), now()
  FROM k LEFT JOIN agent_standby s USING (account, cluster, instance_id)
  WHERE s.account IS NULL
  ON CONFLICT DO NOTHING
  RETURNING account, cluster, instance_id, kept_since
),
kept AS (
  SELECT * FROM updated UNION ALL SELECT * FROM added
)
SELECT kept.account, kept.cluster, kept.instance_id
FROM kept
LEFT JOIN cluster c ON c.account = kept.account AND c.name = kept.cluster
LEFT JOIN agent_session s ON s.account = c.account AND s.cluster = c.name AND s.epoch = c.epoch
WHERE s.epoch IS NULL OR (s.closed_at IS NOT NULL AND NOT ${isReserved("s")})
   OR (s.closed_at IS NULL AND NOT (${isAlive("s.seen_at")}) AND kept.kept_since <= now() - interval '4 s')`;
