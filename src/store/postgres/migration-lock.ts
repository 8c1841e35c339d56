import type pg from "pg";

/** Advisory lock that Prisma takes too while it migrates, so that both exclude each other. */
const LOCK = 72707369;

/** Longest wait for a lock in one attempt, in milliseconds. Statements of programs queue behind it meanwhile. */
const LOCK_TIMEOUT_MS = 2_000;

/**
 * Begins the transaction of a migration: it holds the lock until its end, so that a pooler may give the connection to
 * another client then. It waits briefly for each lock; the caller begins again.
 */
export async function beginLocked(client: pg.Client): Promise<void> {
  await client.query(`BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = '${LOCK_TIMEOUT_MS}ms'`);
  await client.query(`SELECT pg_advisory_xact_lock(${LOCK})`);
}

/** Returns a sentence about the connection that a migration waits for. */
export async function describeHolder(client: pg.Client): Promise<string> {
  const { rows } = await client.query<Holder>(FIND_HOLDER, [LOCK]);
  const [holder] = rows;
  if (holder === undefined) {
    return "waiting for a lock of another connection";
  }
  const { pid, application, state, advisory } = holder;
  const what = advisory ? "the migration lock" : "a lock of a table";
  return (
    `waiting for ${what}, held by pid ${pid} ("${application}", ${state}); ` +
    `wait for its end, or run SELECT pg_terminate_backend(${pid})`
  );
}

interface Holder {
  readonly pid: number;
  readonly application: string;
  readonly state: string;
  readonly advisory: boolean;
}

// The holder of the advisory lock, else the oldest transaction that has a lock of a table.
const FIND_HOLDER = `
SELECT l.pid, COALESCE(a.application_name, '') AS application, COALESCE(a.state, 'unknown') AS state,
  l.locktype = 'advisory' AS advisory
FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.granted AND l.pid <> pg_backend_pid()
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (l.locktype = 'advisory' AND l.classid = 0 AND l.objid = $1 AND l.objsubid = 1
    OR l.relation IN (SELECT oid FROM pg_class WHERE relnamespace = current_schema()::regnamespace))
ORDER BY advisory DESC, a.xact_start
LIMIT 1`;
