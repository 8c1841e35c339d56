import type { ClientBase } from "pg";
import type { ResourceType } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import type { ComparisonFacts } from "../../domain/reconciliation/judge-comparison.ts";
import type { SessionKey } from "../session-store.ts";

/** A comparison that has not ended, and what the store knows about it. */
export interface PendingComparison extends Omit<ComparisonFacts, "epoch" | "sequence" | "gapSequence"> {
  /** Time of the run's request. */
  readonly requestedAt: Date;
  /** Latest attempt of the run. */
  readonly currentAttempt: number;
  readonly isDryRun: boolean;
  readonly isInScope: boolean;
  readonly hasRows: boolean;
  readonly wasVerified: boolean;
  /** True if deletions of the resource type are staged, or the cluster has an open deletion set. */
  readonly hasDeletions: boolean;
}

/**
 * Finds the pending comparison of a resource type in a run of this session. Returns undefined if the run or the
 * comparison has ended, or the run belongs to another session.
 */
export async function findComparison(
  client: ClientBase,
  { account, cluster, epoch }: SessionKey,
  runId: string,
  { group, resource }: ResourceType,
): Promise<PendingComparison | undefined> {
  const { rows } = await client.query<Row>(FIND_PENDING, [account, cluster, runId, group, resource, epoch]);
  const [row] = rows;
  return (
    row && {
      requestedAt: row.started_at,
      currentAttempt: row.current_attempt,
      isDryRun: row.dry_run,
      isInScope: row.is_in_scope,
      hasRows: row.has_rows,
      wasVerified: row.was_verified,
      hasDeletions: row.has_deletions,
      attempt: row.attempt,
      sent: BigInt(row.sent),
      incarnation: BigInt(row.sent_incarnation),
      highWatermark: BigInt(row.sent_watermark),
      firstRepair: row.first_sequence === null ? undefined : BigInt(row.first_sequence),
      declaredGeneration: BigInt(row.declared),
      changedGeneration: BigInt(row.changed),
      orderedBy: row.ordered_by ?? undefined,
      refusedSequence: BigInt(row.refused),
    }
  );
}

interface Row {
  readonly started_at: Date;
  readonly current_attempt: number;
  readonly dry_run: boolean;
  readonly is_in_scope: boolean;
  readonly has_rows: boolean;
  readonly was_verified: boolean;
  readonly has_deletions: boolean;
  readonly attempt: number;
  readonly sent: string;
  readonly sent_incarnation: string;
  readonly sent_watermark: string;
  readonly first_sequence: string | null;
  readonly declared: string;
  readonly changed: string;
  readonly ordered_by: "VERSION" | "POSITION" | null;
  readonly refused: string;
}

const FIND_PENDING = `
SELECT r.started_at, r.attempt AS current_attempt, r.dry_run, k.attempt, k.sent, k.sent_incarnation, k.sent_watermark,
       k.first_sequence, s.scope_generation AS declared,
       t.resource IS NOT NULL AND t.availability NOT IN ('UNDECIDED', 'WITHHELD') AS is_in_scope,
       t.verified_at IS NOT NULL AS was_verified,
       CASE WHEN t.scope_epoch = $6 THEN t.scope_generation ELSE 0 END AS changed,
       t.ordered_by,
       CASE WHEN t.refused_epoch = $6 THEN t.refused_sequence ELSE 0 END AS refused,
       EXISTS (
         SELECT FROM kubernetes_object o
         WHERE o.account = $1 AND o.cluster = $2 AND o.api_group = $4 AND o.resource = $5 AND o.state <> 'absent'
       ) AS has_rows,
       EXISTS (
         SELECT FROM staged_deletion d
         WHERE d.account = $1 AND d.cluster = $2 AND d.api_group = $4 AND d.resource = $5
       ) OR EXISTS (
         SELECT FROM deletion_set s
         WHERE s.account = $1 AND s.cluster = $2 AND s.state IN ('WITHHELD', 'REJECTED')
       ) AS has_deletions
FROM reconciliation_run r
JOIN reconciliation_result k ON k.account = r.account AND k.cluster = r.cluster AND k.run_id = r.id
JOIN agent_session s ON s.account = r.account AND s.cluster = r.cluster AND s.epoch = r.epoch
LEFT JOIN resource_state t ON t.account = $1 AND t.cluster = $2 AND t.api_group = $4 AND t.resource = $5
WHERE r.account = $1 AND r.cluster = $2 AND r.id = $3 AND r.epoch = $6 AND r.ended_at IS NULL
  AND k.api_group = $4 AND k.resource = $5 AND k.ended_at IS NULL`;
