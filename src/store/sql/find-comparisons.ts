import type { ClientBase } from "pg";
import type { ResourceType } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import type { ComparisonFacts } from "../../domain/reconciliation/judge-comparison.ts";
import { resourceTypeKey } from "../../domain/resource-type.ts";
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
 * Finds the pending comparisons of these resource types in a run of this session, by {@link resourceTypeKey}. It has
 * none that has ended, and none at all if the run has ended or belongs to another session.
 */
export async function findComparisons(
  client: ClientBase,
  { account, cluster, epoch }: SessionKey,
  runId: string,
  resourceTypes: readonly ResourceType[],
): Promise<ReadonlyMap<string, PendingComparison>> {
  const { rows } = await client.query<Row>(FIND_PENDING, [
    account,
    cluster,
    runId,
    epoch,
    resourceTypes.map(({ group }) => group),
    resourceTypes.map(({ resource }) => resource),
  ]);
  return new Map(
    rows.map((row) => [
      resourceTypeKey({ group: row.api_group, resource: row.resource }),
      {
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
      },
    ]),
  );
}

interface Row {
  readonly api_group: string;
  readonly resource: string;
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
SELECT k.api_group, k.resource, r.started_at, r.attempt AS current_attempt, r.dry_run, k.attempt, k.sent,
       k.sent_incarnation, k.sent_watermark, k.first_sequence, s.scope_generation AS declared,
       t.resource IS NOT NULL AND t.availability NOT IN ('UNDECIDED', 'WITHHELD') AS is_in_scope,
       t.verified_at IS NOT NULL AS was_verified,
       CASE WHEN t.scope_epoch = $4 THEN t.scope_generation ELSE 0 END AS changed,
       t.ordered_by,
       CASE WHEN t.refused_epoch = $4 THEN t.refused_sequence ELSE 0 END AS refused,
       EXISTS (
         SELECT FROM kubernetes_object o
         WHERE o.account = $1 AND o.cluster = $2 AND o.api_group = k.api_group AND o.resource = k.resource
           AND o.state <> 'absent'
       ) AS has_rows,
       EXISTS (
         SELECT FROM staged_deletion d
         WHERE d.account = $1 AND d.cluster = $2 AND d.api_group = k.api_group AND d.resource = k.resource
       ) OR EXISTS (
         SELECT FROM deletion_set s
         WHERE s.account = $1 AND s.cluster = $2 AND s.state IN ('WITHHELD', 'REJECTED')
       ) AS has_deletions
FROM reconciliation_run r
JOIN agent_session s ON s.account = r.account AND s.cluster = r.cluster AND s.epoch = r.epoch
JOIN reconciliation_result k ON k.account = r.account AND k.cluster = r.cluster AND k.run_id = r.id
JOIN unnest($5::text[], $6::text[]) AS e(api_group, resource)
  ON e.api_group = k.api_group AND e.resource = k.resource
LEFT JOIN resource_state t
  ON t.account = $1 AND t.cluster = $2 AND t.api_group = k.api_group AND t.resource = k.resource
WHERE r.account = $1 AND r.cluster = $2 AND r.id = $3 AND r.epoch = $4 AND r.ended_at IS NULL
  AND k.ended_at IS NULL`;
