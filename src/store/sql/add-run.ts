import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ClientBase, Pool } from "pg";
import { ReconciliationTrigger } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import {
  type ReconciliationRequest,
  ReconciliationRequestSchema,
} from "../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import { ConflictError, TerminalError } from "../../lib/errors.ts";
import type { SessionKey } from "../session-store.ts";

/**
 * Returns the sessions without an active run and without a run that began in the last `intervalMs`. A dry run counts
 * only while it is active. A resource type that joined the scope after the last run was answered makes its cluster due,
 * once no other has joined for 5 seconds. Keeps the order.
 */
export async function listDue(
  pool: Pool,
  sessions: readonly SessionKey[],
  intervalMs: number,
): Promise<SessionKey[]> {
  const { rows } = await pool.query<{ account: string; cluster: string; epoch: string }>(LIST_DUE, [
    sessions.map(({ account }) => account),
    sessions.map(({ cluster }) => cluster),
    sessions.map(({ epoch }) => epoch),
    intervalMs,
  ]);
  return rows.map((row) => ({ ...row, epoch: BigInt(row.epoch) }));
}

// Stored times decide, so neither a restart nor a flapping agent loses or multiplies runs. A run that a new session
// ended early does not count, nor does one in the future, which is from before the database's clock went back. Two
// conditions, because no index serves an OR of both.
const LIST_DUE = `
SELECT k.account, k.cluster, k.epoch
FROM unnest($1::text[], $2::text[], $3::bigint[]) WITH ORDINALITY AS k(account, cluster, epoch, place)
JOIN agent_session s ON s.account = k.account AND s.cluster = k.cluster AND s.epoch = k.epoch
WHERE NOT EXISTS (
    SELECT FROM reconciliation_run r
    WHERE r.account = k.account AND r.cluster = k.cluster AND r.ended_at IS NULL
  )
  AND NOT EXISTS (
    SELECT FROM reconciliation_run r
    WHERE r.account = k.account AND r.cluster = k.cluster
      AND r.started_at > now() - $4 * interval '1 ms' AND r.started_at <= now()
      AND r.state <> 'SUPERSEDED' AND NOT r.dry_run
      AND NOT COALESCE((
        SELECT max(t.joined_at) > r.answered_at AND max(t.joined_at) < now() - interval '5 seconds'
        FROM resource_state t
        WHERE t.account = k.account AND t.cluster = k.cluster
          AND t.availability NOT IN ('UNDECIDED', 'WITHHELD')
      ), FALSE)
  )
ORDER BY k.place`;

/** A run to add. */
export interface NewRun {
  readonly id: string;
  readonly initiator: string;
  readonly trigger: ReconciliationTrigger;
  readonly deadlineMs: number;
  /** Default false. */
  readonly dryRun?: boolean;
}

/**
 * Adds a run in the state REQUESTED.
 *
 * @throws ConflictError while another run of the cluster is active
 */
export async function addRun(
  client: ClientBase,
  { account, cluster, epoch }: SessionKey,
  { id, initiator, trigger, deadlineMs, dryRun = false }: NewRun,
): Promise<ReconciliationRequest> {
  const { rows: added } = await client.query<{ started_at: Date }>(ADD_RUN, [
    account,
    cluster,
    id,
    initiator,
    nameOf(trigger),
    epoch,
    deadlineMs,
    dryRun,
  ]);
  const [run] = added;
  if (run === undefined) {
    const { rows } = await client.query<{ id: string }>(FIND_ACTIVE, [account, cluster]);
    const [active] = rows;
    throw new ConflictError(`cluster "${cluster}": another run is active; retry after its end`, {
      info: { reason: "RUN_ACTIVE", ...(active && { metadata: { run_id: active.id } }) },
    });
  }
  return create(ReconciliationRequestSchema, {
    initiator,
    time: timestampFromDate(run.started_at),
    runId: id,
    trigger,
    dryRun,
  });
}

function nameOf(trigger: ReconciliationTrigger): string {
  switch (trigger) {
    case ReconciliationTrigger.INTERVAL:
      return "INTERVAL";
    case ReconciliationTrigger.CONNECT:
      return "CONNECT";
    case ReconciliationTrigger.MANUAL:
      return "MANUAL";
    case ReconciliationTrigger.CRON:
      return "CRON";
    default:
      throw new TerminalError(`run: unknown trigger ${trigger}`);
  }
}

// A run verifies as of its start. now() is the start of the transaction, before any list that the run requests.
const ADD_RUN = `
INSERT INTO reconciliation_run
  (account, cluster, id, initiator, trigger, state, epoch, started_at, deadline_at, dry_run)
VALUES ($1, $2, $3, $4, $5, 'REQUESTED', $6, now(), now() + $7 * interval '1 ms', $8)
ON CONFLICT DO NOTHING
RETURNING started_at`;

const FIND_ACTIVE =
  "SELECT id FROM reconciliation_run WHERE account = $1 AND cluster = $2 AND ended_at IS NULL";
