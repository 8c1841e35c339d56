import type { ClientBase } from "pg";
import type { RunRef } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import type { StreamPosition } from "../ingest-store.ts";
import type { ClusterKey } from "../postgres/database.ts";
import type { Observation } from "../postgres/observation.ts";
import { recordDifferences } from "./finding-differences.ts";
import {
  CANDIDATES,
  IS_ACCEPTED,
  newFindings,
  REPAIRED_RESULT,
  RUN_OUTCOME,
  type RunContext,
  type RunOutcomeRow,
  toRuleParameters,
  toRunParameters,
} from "./write-rule.ts";

/**
 * Judges observations by the rule of every write, and stores what a run would find. Writes no object and no state of a
 * resource type. Content that Postgres cannot store counts as if it could.
 */
export async function judgeObservations(
  client: ClientBase,
  context: RunContext,
  observations: readonly Observation[],
): Promise<void> {
  const values = [
    ...toRuleParameters(context, observations),
    ...toRunParameters(context.run, context.sequence),
  ];
  const { rows } = await client.query<RunOutcomeRow>(JUDGE, values);
  await recordDifferences(client, "dry_run_finding", context, observations, rows);
}

/** The names EXCLUDED and o are those of a write with ON CONFLICT, so that the rule is the same text. */
const JUDGE = `
WITH ${CANDIDATES},
accepted AS (
  SELECT EXCLUDED.namespace, EXCLUDED.name
  FROM candidate AS EXCLUDED
  CROSS JOIN LATERAL (
    SELECT EXCLUDED.old_incarnation AS incarnation, EXCLUDED.old_observed_version AS observed_version
  ) o
  WHERE EXCLUDED.old_state IS NULL OR ${IS_ACCEPTED}
),
${REPAIRED_RESULT},
${newFindings("dry_run_finding")}
${RUN_OUTCOME}`;

/**
 * True if the message at this position belongs to the current attempt of an active dry run, and was not judged before.
 * A write can be repeated, but the counts of a dry run would grow.
 */
export async function isPendingInDryRun(
  client: ClientBase,
  { account, cluster, epoch, sequence, part = { index: 0, count: 1 } }: StreamPosition,
  { runId, attempt }: RunRef,
): Promise<boolean> {
  const missingParts = part.count - 1 - part.index;
  const values = [account, cluster, epoch, sequence, missingParts, runId, attempt];
  return (await client.query(FIND_PENDING_IN_DRY_RUN, values)).rowCount === 1;
}

const FIND_PENDING_IN_DRY_RUN = `
SELECT FROM reconciliation_run r
JOIN agent_session s ON s.account = r.account AND s.cluster = r.cluster AND s.epoch = r.epoch
WHERE r.account = $1 AND r.cluster = $2 AND r.epoch = $3 AND r.id = $6 AND r.attempt = $7
  AND r.dry_run AND r.ended_at IS NULL
  AND ($4 > s.applied_sequence OR ($4 = s.applied_sequence AND $5 < s.missing_parts))`;

/** Deletes what earlier attempts of a dry run found in resource types that the next attempt compares again. */
export async function restartDryRun(
  client: ClientBase,
  { account, cluster }: ClusterKey,
  runId: string,
): Promise<void> {
  await client.query(RESTART_DRY_RUN, [account, cluster, runId]);
}

const RESTART_DRY_RUN = `
WITH again AS (
  UPDATE reconciliation_result SET created = 0, format_changes = 0, scope_changes = 0
  WHERE account = $1 AND cluster = $2 AND run_id = $3 AND ended_at IS NULL
  RETURNING api_group, resource
)
DELETE FROM dry_run_finding f USING again
WHERE f.account = $1 AND f.cluster = $2 AND f.run_id = $3
  AND f.api_group = again.api_group AND f.resource = again.resource`;
