import type { ClientBase } from "pg";
import type { ResourceReconciled } from "../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import type { ResourceType } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import type { StreamPosition } from "../ingest-store.ts";
import type { RunFailure } from "../run-store.ts";
import { endRunWhenComplete } from "./end-run.ts";
import type { Progress } from "./record-progress.ts";

/**
 * Ends one resource type of a run, and the run with its last resource type. If no message of the comparison's range of
 * sequences was lost or refused, the low watermark rises to the list's version, tombstones at or below it are purged,
 * and the resource type is verified as of the time of the request. Otherwise its comparison failed.
 *
 * Does nothing if the run has ended, if it belongs to another session, or if the resource type ended before.
 */
export async function verifyResource(
  client: ClientBase,
  position: StreamPosition,
  progress: Progress,
  end: ResourceReconciled,
): Promise<void> {
  const { account, cluster, epoch } = position;
  const { resourceType, run: ref } = end;
  if (resourceType === undefined || ref === undefined) {
    return;
  }
  const { runId } = ref;
  const { rows } = await client.query<{ started_at: Date }>(FIND_PENDING, [
    account,
    cluster,
    runId,
    resourceType.group,
    resourceType.resource,
    epoch,
  ]);
  const [run] = rows;
  if (run === undefined) {
    return;
  }
  const failure =
    end.failure ??
    failureOf(progress, end) ??
    (await verify(client, position, resourceType, end, run.started_at));
  await client.query(VERIFY_RESOURCE, [
    account,
    cluster,
    runId,
    resourceType.group,
    resourceType.resource,
    end.listed,
    end.equal,
    end.put,
    end.deleted,
    end.compared,
    end.managed,
    failure?.reason ?? null,
    failure?.message ?? null,
  ]);
  if (failure !== undefined) {
    const { reason, message } = failure;
    await client.query(RECORD_FAILURE, [
      account,
      cluster,
      resourceType.group,
      resourceType.resource,
      reason,
      message,
    ]);
  }
  await endRunWhenComplete(client, position, runId);
}

/** Returns the failure if messages between the comparison's first sequence and its end were lost or refused. */
function failureOf(
  { gapSequence, refusedSequence }: Progress,
  { firstSequence }: ResourceReconciled,
): RunFailure | undefined {
  if (gapSequence > firstSequence) {
    return {
      reason: "SequenceGap",
      message: `messages between sequences ${firstSequence} and ${gapSequence} were lost`,
    };
  }
  if (refusedSequence >= firstSequence) {
    return {
      reason: "Refused",
      message: `an item of sequence ${refusedSequence} could not be applied; see the quarantined objects`,
    };
  }
  return undefined;
}

async function verify(
  client: ClientBase,
  { account, cluster, epoch, sequence }: StreamPosition,
  resourceType: ResourceType,
  end: ResourceReconciled,
  askedAt: Date,
): Promise<RunFailure | undefined> {
  const byPosition = end.listVersion === "";
  const { rowCount } = await client.query(VERIFY, [
    account,
    cluster,
    resourceType.group,
    resourceType.resource,
    byPosition ? epoch : (end.incarnation ?? null),
    byPosition ? String(sequence) : end.listVersion,
    askedAt,
    epoch,
  ]);
  if (rowCount === 0) {
    return {
      reason: "OutOfScope",
      message: "the resource type left the scope, or its versions went back, during the run",
    };
  }
  await client.query(PURGE_TOMBSTONES, [account, cluster, resourceType.group, resourceType.resource]);
  return undefined;
}

const FIND_PENDING = `
SELECT r.started_at
FROM reconciliation_run r
JOIN reconciliation_result k ON k.account = r.account AND k.cluster = r.cluster AND k.run_id = r.id
WHERE r.account = $1 AND r.cluster = $2 AND r.id = $3 AND r.epoch = $6 AND r.ended_at IS NULL
  AND k.api_group = $4 AND k.resource = $5 AND k.ended_at IS NULL`;

const VERIFY_RESOURCE = `
UPDATE reconciliation_result SET
  ended_at = now(), listed = $6, equal = $7, put = $8, deleted = $9, compared = $10, managed = $11,
  failure_reason = $12, failure_message = $13
WHERE account = $1 AND cluster = $2 AND run_id = $3 AND api_group = $4 AND resource = $5`;

// Watermarks and verified times only grow. Watermarks start again with a new incarnation. A low watermark above the
// high watermark is corrupt and counts as 0. A verified time in the future counts as none.
const VERIFY = `
UPDATE resource_state k SET
  incarnation = v.inc,
  low_watermark = CASE WHEN v.inc = k.incarnation AND k.low_watermark <= k.high_watermark
    THEN greatest(k.low_watermark, v.version) ELSE v.version END,
  high_watermark = CASE WHEN v.inc = k.incarnation THEN greatest(k.high_watermark, v.version) ELSE v.version END,
  verified_at = greatest(CASE WHEN k.verified_at <= now() THEN k.verified_at END, least($7, now())),
  failure_reason = NULL,
  failure_message = NULL
FROM (
  SELECT COALESCE($5::bigint, CASE WHEN $8::bigint >= incarnation THEN incarnation ELSE 0 END) AS inc,
         $6::numeric AS version
  FROM resource_state WHERE account = $1 AND cluster = $2 AND api_group = $3 AND resource = $4
) v
WHERE k.account = $1 AND k.cluster = $2 AND k.api_group = $3 AND k.resource = $4 AND v.inc >= k.incarnation`;

const RECORD_FAILURE = `
UPDATE resource_state SET failure_reason = $5, failure_message = $6
WHERE account = $1 AND cluster = $2 AND api_group = $3 AND resource = $4`;

const PURGE_TOMBSTONES = `
DELETE FROM kubernetes_object o USING resource_state k
WHERE k.account = $1 AND k.cluster = $2 AND k.api_group = $3 AND k.resource = $4
  AND o.account = $1 AND o.cluster = $2 AND o.api_group = $3 AND o.resource = $4
  AND o.state = 'absent'
  AND ((o.incarnation, o.observed_version) <= (k.incarnation, k.low_watermark)
       OR (o.incarnation, o.observed_version) > (k.incarnation, k.high_watermark))`;
