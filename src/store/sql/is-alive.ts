import { SESSION_AHEAD_MS, SESSION_TIMEOUT_MS } from "../session-store.ts";

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
