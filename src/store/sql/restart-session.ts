import type { ClientBase } from "pg";
import type { SessionKey } from "../session-store.ts";

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
