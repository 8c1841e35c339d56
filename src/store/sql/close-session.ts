import type { Pool } from "pg";
import { SESSION_TIMEOUT_MS, type SessionKey } from "../session-store.ts";

/** Closes the session, unless it is closed. With `reserve`, its agent may open the next one for some time. */
export async function closeSession(
  pool: Pool,
  { account, cluster, epoch }: SessionKey,
  reserve: boolean,
): Promise<void> {
  await pool.query(CLOSE_SESSION, [account, cluster, epoch, reserve]);
}

const CLOSE_SESSION = `
UPDATE agent_session SET
  closed_at = now(), reserved_until = CASE WHEN $4 THEN now() + interval '${SESSION_TIMEOUT_MS} ms' END
WHERE account = $1 AND cluster = $2 AND epoch = $3 AND closed_at IS NULL`;
