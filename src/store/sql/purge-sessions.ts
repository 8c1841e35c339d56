import type { Pool } from "pg";

/** Deletes sessions that were closed more than `retentionMs` ago. */
export async function purgeSessions(pool: Pool, retentionMs: number): Promise<void> {
  await pool.query("DELETE FROM agent_session WHERE closed_at < now() - $1 * interval '1 ms'", [retentionMs]);
}
