/**
 * Longest waits, in milliseconds; 0: no limit. Each wait holds a connection. Unlimited waits of one cluster would soon
 * hold all connections of the pool.
 */
export interface DatabaseTimeouts {
  /** For each lock. The condition is temporary, so the statement is retried. */
  readonly lockMs: number;
  /** Between two statements. Then Postgres ends the transaction, so a frozen process loses its lock. */
  readonly idleMs: number;
  /** For each statement. Below `queryMs`, so that no statement continues in Postgres after its client has given up. */
  readonly statementMs: number;
  /** For the answer to a query. Then the connection is destroyed. */
  readonly queryMs: number;
}

/** Longest wait for a connection: for a new one with its login, or for one of the pool; in milliseconds. */
export const CONNECT_TIMEOUT_MS = 10_000;

/**
 * Default timeouts. A healthy transaction holds its lock for less than 2 s and sends its statements without pauses. The
 * slowest healthy query counts all objects of a page of clusters: 2.4 s for 800,000 objects. 25 s is about ten times
 * that, and 30 s is still short enough to detect a peer that has vanished.
 */
export const DEFAULT_TIMEOUTS: DatabaseTimeouts = {
  lockMs: 2_000,
  idleMs: 10_000,
  statementMs: 25_000,
  queryMs: 30_000,
};

/**
 * Returns the statements that begin a transaction with these timeouts, in one text. They end with the transaction, so a
 * pooler may give the connection to another client then. The isolation level must not depend on the database's default:
 * a snapshot from before a lock would hide the changes of its last holder.
 */
export function toBegin({ lockMs, idleMs, statementMs }: DatabaseTimeouts): string {
  return [
    "BEGIN ISOLATION LEVEL READ COMMITTED",
    `SET LOCAL lock_timeout = '${lockMs}ms'`,
    `SET LOCAL idle_in_transaction_session_timeout = '${idleMs}ms'`,
    `SET LOCAL statement_timeout = '${statementMs}ms'`,
  ].join("; ");
}
