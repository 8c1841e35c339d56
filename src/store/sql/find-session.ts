import type { ClientBase } from "pg";
import type { ClusterKey } from "../postgres/database.ts";
import { isAlive } from "./is-alive.ts";

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
