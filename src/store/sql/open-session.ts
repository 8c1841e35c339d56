import type { ClientBase } from "pg";
import type { SessionRequest } from "../session-store.ts";
import { isAlive, isReserved } from "./live-sessions.ts";

/** The state of a cluster before a session opens. */
export interface ClusterState {
  readonly uid: string;
  /** True if an operator has removed the cluster. */
  readonly isRemoved: boolean;
  /** Agent process of the latest session. */
  readonly lastInstanceId: string | undefined;
  /** True if the latest session was not closed. */
  readonly isOpen: boolean;
  /** True if the latest session was closed and is reserved for its agent. */
  readonly isReserved: boolean;
  /** True if a backend has confirmed the latest session recently. */
  readonly isAlive: boolean;
  /** True if the latest session ended because it lost a scope. */
  readonly wasRestarted: boolean;
}

/** Returns the state of a cluster; undefined if there is no such cluster. */
export async function findClusterState(
  client: ClientBase,
  { account, cluster }: Pick<SessionRequest, "account" | "cluster">,
): Promise<ClusterState | undefined> {
  const { rows } = await client.query<{
    uid: string;
    is_removed: boolean;
    instance_id: string | null;
    is_open: boolean | null;
    is_reserved: boolean;
    is_alive: boolean | null;
    was_restarted: boolean;
  }>(FIND_STATE, [account, cluster]);
  const [row] = rows;
  return (
    row && {
      uid: row.uid,
      isRemoved: row.is_removed,
      lastInstanceId: row.instance_id ?? undefined,
      isOpen: row.is_open === true,
      isReserved: row.is_reserved,
      isAlive: row.is_alive === true,
      wasRestarted: row.was_restarted,
    }
  );
}

/** Result of opening a session. */
export interface SessionOpening {
  readonly epoch: bigint;
  /** True if this session superseded a run on connect, which must be repeated. */
  readonly supersededConnect: boolean;
}

/**
 * Assigns the next epoch of the cluster, closes its older sessions and supersedes their run. The caller holds the
 * cluster's lock and has checked the uid. The epoch is at least the time in milliseconds, so that it does not go back
 * when the database is restored from a backup.
 */
export async function openSession(client: ClientBase, request: SessionRequest): Promise<SessionOpening> {
  const { account, cluster, clusterUid, instanceId } = request;
  const { rows } = await client.query<{ epoch: string }>(NEXT_EPOCH, [account, cluster, clusterUid]);
  const epoch = BigInt(rows[0]?.epoch ?? 0);
  const key = [account, cluster, epoch];
  await client.query(CLOSE_OLDER, key);
  const superseded = await client.query<{ trigger: string }>(SUPERSEDE_RUN, [account, cluster]);
  await client.query(ADD_SESSION, [
    ...key,
    instanceId,
    request.agentVersion,
    request.kubernetesVersion,
    request.replyTopic,
  ]);
  await client.query(REMOVE_STANDBY, [account, cluster, instanceId]);
  return { epoch, supersededConnect: superseded.rows[0]?.trigger === "CONNECT" };
}

const FIND_STATE = `
SELECT c.uid, c.removed_at IS NOT NULL AS is_removed, s.instance_id,
  s.closed_at IS NULL AS is_open, ${isReserved("s")} AS is_reserved,
  ${isAlive("s.seen_at")} AS is_alive, s.restart_reason IS NOT NULL AS was_restarted
FROM cluster c
LEFT JOIN agent_session s ON s.account = c.account AND s.cluster = c.name AND s.epoch = c.epoch
WHERE c.account = $1 AND c.name = $2`;

const NEXT_EPOCH = `
INSERT INTO cluster AS c (account, name, uid, epoch, first_epoch, created_at)
SELECT $1, $2, $3, now_ms, now_ms, now() FROM floor(extract(epoch FROM now()) * 1000) AS now_ms
ON CONFLICT (account, name) DO UPDATE SET epoch = greatest(c.epoch + 1, EXCLUDED.epoch)
RETURNING epoch`;

const CLOSE_OLDER = `
UPDATE agent_session SET closed_at = now()
WHERE account = $1 AND cluster = $2 AND epoch < $3 AND closed_at IS NULL`;

const SUPERSEDE_RUN = `
UPDATE reconciliation_run SET
  state = 'SUPERSEDED', ended_at = now(), failure_reason = 'NewSession',
  failure_message = 'a new session of the cluster was opened'
WHERE account = $1 AND cluster = $2 AND ended_at IS NULL
RETURNING trigger`;

const ADD_SESSION = `
INSERT INTO agent_session
  (account, cluster, epoch, instance_id, agent_version, kubernetes_version, reply_topic, opened_at, seen_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, now(), now())`;

const REMOVE_STANDBY = "DELETE FROM agent_standby WHERE account = $1 AND cluster = $2 AND instance_id = $3";
