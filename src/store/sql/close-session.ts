import type { Pool } from "pg";
import type { SessionKey } from "../session-store.ts";

/** Closes the session, unless it is closed. */
export async function closeSession(pool: Pool, { account, cluster, epoch }: SessionKey): Promise<void> {
  await pool.query(CLOSE_SESSION, [account, cluster, epoch]);
}

const CLOSE_SESSION = `
UPDATE agent_session SET closed_at = now()
WHERE account = $1 AND cluster = $2 AND epoch = $3 AND closed_at IS NULL`;
