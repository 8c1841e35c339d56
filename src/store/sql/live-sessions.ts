import type { ClientBase, Pool } from "pg";
import type { ClusterKey } from "../postgres/database.ts";
import {
  type EndedSession,
  SESSION_AHEAD_MS,
  SESSION_TIMEOUT_MS,
  type SessionKey,
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

/** Records that these sessions are alive, and returns those that must end. */
export async function keepSessions(pool: Pool, sessions: readonly SessionKey[]): Promise<EndedSession[]> {
  const { rows } = await pool.query<{ place: string; restart: string | null }>(KEEP_SESSIONS, [
    sessions.map(({ account }) => account),
    sessions.map(({ cluster }) => cluster),
    sessions.map(({ epoch }) => epoch),
  ]);
  const current = new Map(rows.map(({ place, restart }) => [Number(place), restart]));
  return sessions.flatMap((session, index): EndedSession[] => {
    const restart = current.get(index + 1);
    if (restart === undefined) {
      return [{ type: "replaced", session }];
    }
    return restart === null ? [] : [{ type: "restart", session, reason: restart }];
  });
}

const KEEP_SESSIONS = `
UPDATE agent_session s SET seen_at = now()
FROM unnest($1::text[], $2::text[], $3::bigint[]) WITH ORDINALITY AS k(account, cluster, epoch, place), cluster c
WHERE s.account = k.account AND s.cluster = k.cluster AND s.epoch = k.epoch AND s.closed_at IS NULL
  AND c.account = k.account AND c.name = k.cluster AND c.epoch = k.epoch
RETURNING k.place, s.restart_reason AS restart`;

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
