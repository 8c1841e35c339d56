import type { Pool } from "pg";

/**
 * Closes all open sessions and removes all standbys, for the only process of a database at its start: a process that
 * was killed has left them, and their agents ended with it.
 */
export async function closeLeftSessions(pool: Pool): Promise<void> {
  await pool.query("UPDATE agent_session SET closed_at = now() WHERE closed_at IS NULL");
  await pool.query("DELETE FROM agent_standby");
}
