import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Pool } from "pg";
import { ReconciliationTrigger } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { ReconciliationRequestSchema } from "../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import type { RequestedRun, RunSession } from "../run-store.ts";

/** Returns the active runs of these sessions that no ingester has begun to answer. */
export async function listRequested(pool: Pool, sessions: readonly RunSession[]): Promise<RequestedRun[]> {
  const { rows } = await pool.query<Row>(LIST_REQUESTED, [
    sessions.map(({ account }) => account),
    sessions.map(({ cluster }) => cluster),
    sessions.map(({ epoch }) => epoch),
    sessions.map(({ clusterUid }) => clusterUid),
  ]);
  return rows.map((row) => ({
    session: { account: row.account, cluster: row.cluster, epoch: BigInt(row.epoch) },
    clusterUid: row.uid,
    request: create(ReconciliationRequestSchema, {
      initiator: row.initiator,
      time: timestampFromDate(row.started_at),
      runId: row.id,
      trigger: ReconciliationTrigger[row.trigger],
      dryRun: row.dry_run,
    }),
  }));
}

interface Row {
  readonly account: string;
  readonly cluster: string;
  readonly epoch: string;
  readonly uid: string;
  readonly id: string;
  readonly initiator: string;
  readonly trigger: keyof typeof ReconciliationTrigger;
  readonly started_at: Date;
  readonly dry_run: boolean;
}

const LIST_REQUESTED = `
SELECT k.account, k.cluster, k.epoch, k.uid, r.id, r.initiator, r.trigger, r.started_at, r.dry_run
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[]) AS k(account, cluster, epoch, uid)
JOIN reconciliation_run r ON r.account = k.account AND r.cluster = k.cluster AND r.epoch = k.epoch
WHERE r.ended_at IS NULL AND r.state = 'REQUESTED'`;
