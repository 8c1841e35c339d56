import type { ClientBase, Pool } from "pg";
import type { ClusterKey } from "../postgres/database.ts";
import {
  SESSION_AHEAD_MS,
  SESSION_TIMEOUT_MS,
  type SessionKey,
  type SessionRestart,
} from "../session-store.ts";

/** Returns the condition that a closed session, by its alias, is reserved for its agent. */
export function isReserved(session: string): string {
  return `COALESCE(${session}.reserved_until BETWEEN clock_timestamp()
    AND clock_timestamp() + interval '${SESSION_TIMEOUT_MS + SESSION_AHEAD_MS} ms', FALSE)`;
}

/**
 * Returns the condition of `isRecent` for a column with the last sign of life.
 *
 * `clock_timestamp()`, because a transaction may have waited for the cluster's lock since it began.
 */
export function isAlive(column: string): string {
  return `${column} BETWEEN clock_timestamp() - interval '${SESSION_TIMEOUT_MS} ms'
    AND clock_timestamp() + interval '${SESSION_AHEAD_MS} ms'`;
}

/** The current session of a cluster. */
export interface CurrentSession {
  readonly epoch: bigint;
  readonly clusterUid: string;
  readonly isConnected: boolean;
}

/** Finds the current session of a cluster; undefined if there is no such cluster. */
export async function findSession(
  client: ClientBase,
  { account, cluster }: ClusterKey,
): Promise<CurrentSession | undefined> {
  const { rows } = await client.query<{ epoch: string; uid: string; connected: boolean | null }>(
    FIND_SESSION,
    [account, cluster],
  );
  const [row] = rows;
  return row && { epoch: BigInt(row.epoch), clusterUid: row.uid, isConnected: row.connected === true };
}

const FIND_SESSION = `
SELECT c.epoch, c.uid, s.closed_at IS NULL AND ${isAlive("s.seen_at")} AS connected
FROM cluster c
LEFT JOIN agent_session s ON s.account = c.account AND s.cluster = c.name AND s.epoch = c.epoch
WHERE c.account = $1 AND c.name = $2 AND c.removed_at IS NULL`;

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

/**
 * Requests that the backend ends the session, so that the agent declares its scope again. The first reason stays.
 */
export async function restartSession(
  client: ClientBase,
  { account, cluster, epoch }: SessionKey,
  reason: string,
): Promise<void> {
  await client.query(RESTART, [account, cluster, epoch, reason]);
}

const RESTART = `
UPDATE agent_session SET restart_reason = COALESCE(restart_reason, $4)
WHERE account = $1 AND cluster = $2 AND epoch = $3`;

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
