import type { Pool } from "pg";

/** Deletes sessions that were closed before a time. */
export async function purgeSessions(pool: Pool, before: Date): Promise<void> {
  await pool.query("DELETE FROM agent_session WHERE closed_at < $1", [before]);
}
