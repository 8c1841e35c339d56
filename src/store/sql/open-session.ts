import type { ClientBase } from "pg";
import type { SessionRequest } from "../session-store.ts";

/** Result of opening a session. */
export interface SessionOpening {
  readonly epoch: bigint;
  /** Uid of the name. If it differs from the request's, no session was opened. */
  readonly boundUid: string;
  /** Agent process of the previous session. */
  readonly lastInstanceId: string | undefined;
  readonly lastReplyTopic: string | undefined;
  /** True if this session superseded a run on connect, which must be repeated. */
  readonly supersededConnect: boolean;
}

/**
 * Assigns the next epoch of the cluster and checks its uid, in one statement. The epoch is at least the time in
 * milliseconds, so that it does not go back when the database is restored from a backup.
 */
export async function openSession(client: ClientBase, request: SessionRequest): Promise<SessionOpening> {
  const { account, cluster, clusterUid } = request;
  const last = await client.query<{ instance_id: string; reply_topic: string }>(LAST_SESSION, [
    account,
    cluster,
  ]);
  const { rows } = await client.query<{ epoch: string; uid: string }>(NEXT_EPOCH, [
    account,
    cluster,
    clusterUid,
  ]);
  const [row] = rows;
  const opening = {
    epoch: BigInt(row?.epoch ?? 0),
    boundUid: row?.uid ?? "",
    lastInstanceId: last.rows[0]?.instance_id,
    lastReplyTopic: last.rows[0]?.reply_topic,
    supersededConnect: false,
  };
  if (opening.boundUid !== clusterUid) {
    return opening;
  }
  const key = [account, cluster, opening.epoch];
  await client.query(CLOSE_OLDER, key);
  const superseded = await client.query<{ trigger: string }>(SUPERSEDE_RUN, [account, cluster]);
  await client.query(ADD_SESSION, [
    ...key,
    request.instanceId,
    request.agentVersion,
    request.kubernetesVersion,
    request.replyTopic,
  ]);
  return { ...opening, supersededConnect: superseded.rows[0]?.trigger === "CONNECT" };
}

const LAST_SESSION = `
SELECT instance_id, reply_topic FROM agent_session
WHERE account = $1 AND cluster = $2 ORDER BY epoch DESC LIMIT 1`;

const NEXT_EPOCH = `
INSERT INTO cluster AS c (account, name, uid, epoch, created_at)
VALUES ($1, $2, $3, floor(extract(epoch FROM now()) * 1000), now())
ON CONFLICT (account, name) DO UPDATE SET
  epoch = CASE WHEN c.uid = EXCLUDED.uid THEN greatest(c.epoch + 1, EXCLUDED.epoch) ELSE c.epoch END
RETURNING epoch, uid`;

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
