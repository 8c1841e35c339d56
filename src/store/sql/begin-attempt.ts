import type { ClientBase } from "pg";
import type { ReconciliationRequest } from "../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import type { StreamPosition } from "../ingest-store.ts";

/** An attempt to answer a request. */
export interface Attempt {
  /** From 1. */
  readonly number: number;
  readonly replyTopic: string;
  /** The session's last ScopeDeclared as Protobuf, if one was applied. */
  readonly scope: Uint8Array | undefined;
  /**
   * True if the session has no scope although its agent declared one: the requests on connect and of the schedule, and
   * any message of the agent, follow it in the stream.
   */
  readonly isScopeLost: boolean;
}

/**
 * Begins one more attempt of the run. Returns undefined if the run has ended or its session is not the cluster's
 * current one.
 */
export async function beginAttempt(
  client: ClientBase,
  { account, cluster, epoch }: StreamPosition,
  { runId }: ReconciliationRequest,
): Promise<Attempt | undefined> {
  const { rows } = await client.query<Row>(BEGIN_ATTEMPT, [account, cluster, epoch, runId]);
  const [row] = rows;
  return (
    row && {
      number: row.attempt,
      replyTopic: row.reply_topic,
      scope: row.scope ?? undefined,
      isScopeLost: row.scope === null && (AFTER_SCOPE.has(row.trigger) || row.applied !== "0"),
    }
  );
}

/** Triggers whose requests are published behind the session's first scope. */
const AFTER_SCOPE: ReadonlySet<string> = new Set(["CONNECT", "INTERVAL"]);

interface Row {
  readonly attempt: number;
  readonly reply_topic: string;
  readonly scope: Buffer | null;
  readonly trigger: string;
  readonly applied: string;
}

const BEGIN_ATTEMPT = `
UPDATE reconciliation_run r SET attempt = r.attempt + 1, state = 'COMPARING', answered_at = now()
FROM agent_session s, cluster c
WHERE r.account = $1 AND r.cluster = $2 AND r.id = $4 AND r.ended_at IS NULL AND r.deadline_at > now() AND r.epoch = $3
  AND s.account = $1 AND s.cluster = $2 AND s.epoch = $3
  AND c.account = $1 AND c.name = $2 AND c.epoch = $3
RETURNING r.attempt, s.reply_topic, s.scope, r.trigger, s.applied_sequence AS applied`;
