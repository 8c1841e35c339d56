import type { ClientBase, Pool } from "pg";
import { sampleFairly } from "../../domain/sample-fairly.ts";
import type { Random } from "../../lib/random.ts";
import type { ClusterKey } from "../postgres/database.ts";
import { isLockTimeout } from "../postgres/sql-error.ts";
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

/** A session of which `keepSessions` knows the state. */
interface KeptSession {
  readonly session: SessionKey;
  /** False if another session has replaced it. */
  readonly isCurrent: boolean;
  /** Reason to restart it; null if there is none. */
  readonly restart: string | null;
  /** True if another transaction holds its row, so that nothing was recorded. */
  readonly isLocked: boolean;
}

/** Most locked sessions that one call waits for. Each wait holds a connection. */
const MAX_WAITS = 2;

/**
 * Records that these sessions are alive, and returns those that must end.
 *
 * The statement for all of them skips locked rows, so that a lock in one cluster harms no other. An ingester holds a
 * row for some milliseconds at each message, perhaps at each call. So some of the skipped sessions, chosen at random,
 * wait for their turn in statements of their own.
 */
export async function keepSessions(
  pool: Pool,
  random: Random,
  sessions: readonly SessionKey[],
): Promise<EndedSession[]> {
  const kept = await keep(pool, KEEP_UNLOCKED, sessions);
  const locked = kept.filter(({ isLocked }) => isLocked).map(({ session }) => session);
  const waited = await Promise.all(
    sampleFairly(random, locked, MAX_WAITS).map(async (session) => await keepWaiting(pool, session)),
  );
  return [...kept.filter(({ isLocked }) => !isLocked), ...waited.flat()].flatMap(
    ({ session, isCurrent, restart }): EndedSession[] => {
      if (!isCurrent) {
        return [{ type: "replaced", session }];
      }
      return restart === null ? [] : [{ type: "restart", session, reason: restart }];
    },
  );
}

/** Waits for the row of a session. Returns nothing if it stays locked: the next call tries again. */
async function keepWaiting(pool: Pool, session: SessionKey): Promise<KeptSession[]> {
  try {
    return await keep(pool, KEEP_WAITING, [session]);
  } catch (error) {
    if (isLockTimeout(error)) {
      return [];
    }
    throw error;
  }
}

async function keep(pool: Pool, statement: string, sessions: readonly SessionKey[]): Promise<KeptSession[]> {
  const { rows } = await pool.query<{ place: string; restart: string | null; locked: boolean }>(statement, [
    sessions.map(({ account }) => account),
    sessions.map(({ cluster }) => cluster),
    sessions.map(({ epoch }) => epoch),
  ]);
  const current = new Map(rows.map((row) => [Number(row.place), row]));
  return sessions.map((session, index) => {
    const row = current.get(index + 1);
    return {
      session,
      isCurrent: row !== undefined,
      restart: row?.restart ?? null,
      isLocked: row?.locked === true,
    };
  });
}

function toKeep(lock: string): string {
  return `
WITH current AS (
  SELECT k.place, k.account, k.cluster, k.epoch, s.restart_reason
  FROM unnest($1::text[], $2::text[], $3::bigint[]) WITH ORDINALITY AS k(account, cluster, epoch, place)
  JOIN cluster c ON c.account = k.account AND c.name = k.cluster AND c.epoch = k.epoch
  JOIN agent_session s ON s.account = k.account AND s.cluster = k.cluster AND s.epoch = k.epoch
  WHERE s.closed_at IS NULL
),
held AS (
  SELECT current.place, s.account, s.cluster, s.epoch
  FROM current JOIN agent_session s USING (account, cluster, epoch)
  WHERE s.closed_at IS NULL
  FOR NO KEY UPDATE OF s ${lock}
),
kept AS (
  UPDATE agent_session s SET seen_at = now() FROM held
  WHERE s.account = held.account AND s.cluster = held.cluster AND s.epoch = held.epoch
  RETURNING held.place
)
SELECT current.place, current.restart_reason AS restart, kept.place IS NULL AS locked
FROM current LEFT JOIN kept ON kept.place = current.place`;
}

const KEEP_UNLOCKED = toKeep("SKIP LOCKED");

const KEEP_WAITING = toKeep("");

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
