import type { ClientBase } from "pg";
import type { ResourceReconciled } from "../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import type { ResourceType } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import type { DeletionGuard } from "../../domain/reconciliation/deletion-guard.ts";
import { judgeComparison } from "../../domain/reconciliation/judge-comparison.ts";
import type { StreamPosition } from "../ingest-store.ts";
import type { RunFailure } from "../run-store.ts";
import { endRunWhenComplete } from "./end-run.ts";
import { findComparison, type PendingComparison } from "./find-comparison.ts";
import { guardDeletions, type Withheld } from "./guard-deletions.ts";
import { restartSession } from "./live-sessions.ts";
import type { Progress } from "./record-progress.ts";

/**
 * Ends one resource type of a run, and the run with its last resource type. If the agent's statement agrees with what
 * the store knows, the deletions that the comparison staged are applied, the low watermark rises to the list's version,
 * tombstones at or below it are purged, and the resource type is verified as of the time of the request. Otherwise its
 * comparison failed, and its deletions have no effect. If the guard withholds deletions, it is not verified. Returns
 * the withheld deletions.
 *
 * Does nothing if the run has ended, if it belongs to another session, if the resource type ended before, or if a later
 * attempt compares it again. A dry run is judged too, and changes nothing else than its result.
 */
export async function verifyResource(
  client: ClientBase,
  position: StreamPosition,
  progress: Progress,
  end: ResourceReconciled,
  guard: DeletionGuard,
): Promise<Withheld | undefined> {
  const { resourceType, run } = end;
  if (resourceType === undefined || run === undefined) {
    return undefined;
  }
  const known = await findComparison(client, position, run.runId, resourceType);
  if (known === undefined || run.attempt < known.currentAttempt) {
    return undefined;
  }
  const fault = end.failure ?? judge(position, progress, end, known);
  const withheld =
    fault === undefined && known.hasDeletions && !known.isDryRun
      ? await guardDeletions(client, position, guard, { ...known, resourceType, run })
      : undefined;
  const failure = fault ?? withheld?.failure;
  const isVerified =
    failure === undefined && (known.isDryRun || (await verify(client, position, resourceType, end, known)));
  const outcome = isVerified ? undefined : (failure ?? NEWER_INCARNATION);
  await endResult(client, position, end, known, outcome, withheld?.deletions ?? 0);
  if (outcome !== undefined && !known.isDryRun) {
    await recordFailure(client, position, resourceType, outcome, known);
  }
  if (end.scopeGeneration > known.declaredGeneration) {
    await restartSession(
      client,
      position,
      `scope: generation ${end.scopeGeneration} was lost; the last one is ${known.declaredGeneration}`,
    );
  }
  await endRunWhenComplete(client, position, run.runId);
  return withheld;
}

const NEWER_INCARNATION: RunFailure = {
  reason: "VersionsWentBack",
  message: "the versions of the resource type went back during the run",
};

function judge(
  { epoch, sequence }: StreamPosition,
  { gapSequence }: Progress,
  end: ResourceReconciled,
  known: PendingComparison,
): RunFailure | undefined {
  if (!known.isInScope) {
    return { reason: "OutOfScope", message: "the resource type left the scope during the run" };
  }
  const { run, incarnation, unrepresentable, ...counts } = end;
  return judgeComparison(
    {
      ...counts,
      attempt: run?.attempt ?? 0,
      unrepresentable: unrepresentable?.count ?? 0n,
      ...(incarnation !== undefined && { incarnation }),
    },
    { ...known, epoch, sequence, gapSequence },
  );
}

/** Returns false if the resource type has a newer incarnation than the comparison. */
async function verify(
  client: ClientBase,
  { account, cluster, epoch, sequence }: StreamPosition,
  { group, resource }: ResourceType,
  { listVersion, incarnation }: ResourceReconciled,
  { requestedAt }: PendingComparison,
): Promise<boolean> {
  const byPosition = listVersion === "";
  const { rowCount } = await client.query(VERIFY, [
    account,
    cluster,
    group,
    resource,
    byPosition ? epoch : (incarnation ?? null),
    byPosition ? String(sequence) : listVersion,
    requestedAt,
    epoch,
    byPosition ? "POSITION" : "VERSION",
  ]);
  if (rowCount === 0) {
    return false;
  }
  await client.query(PURGE_TOMBSTONES, [account, cluster, group, resource]);
  return true;
}

async function endResult(
  client: ClientBase,
  { account, cluster }: StreamPosition,
  end: ResourceReconciled,
  known: PendingComparison,
  failure: RunFailure | undefined,
  withheld: number,
): Promise<void> {
  await client.query(END_RESULT, [
    account,
    cluster,
    end.run?.runId,
    end.resourceType?.group,
    end.resourceType?.resource,
    end.listed,
    end.equal,
    end.put,
    end.deleted,
    end.compared,
    end.managed,
    end.gone,
    end.unrepresentable?.count ?? 0n,
    failure?.reason ?? null,
    failure?.message ?? null,
    failure !== undefined && isNotReadable(failure, known),
    withheld,
  ]);
}

/** True if the agent never had the right to read the resource type. Rows that are no longer read are a failure. */
function isNotReadable({ reason }: RunFailure, { hasRows, wasVerified }: PendingComparison): boolean {
  return reason === "Forbidden" && !hasRows && !wasVerified;
}

async function recordFailure(
  client: ClientBase,
  { account, cluster }: StreamPosition,
  { group, resource }: ResourceType,
  failure: RunFailure,
  known: PendingComparison,
): Promise<void> {
  await client.query(RECORD_FAILURE, [
    account,
    cluster,
    group,
    resource,
    failure.reason,
    failure.message,
    isNotReadable(failure, known) ? "NOT_READABLE" : "READABLE",
  ]);
}

const END_RESULT = `
UPDATE reconciliation_result SET
  ended_at = now(), listed = $6, equal = $7, put = $8, deleted = $9, compared = $10, managed = $11, gone = $12,
  unrepresentable = $13, failure_reason = $14, failure_message = $15, not_readable = $16, withheld = $17
WHERE account = $1 AND cluster = $2 AND run_id = $3 AND api_group = $4 AND resource = $5`;

// Watermarks and verified times only grow. Watermarks start again with a new incarnation. A low watermark above the
// high watermark is corrupt and counts as 0. A verified time in the future counts as none.
const VERIFY = `
UPDATE resource_state k SET
  incarnation = v.inc,
  low_watermark = CASE WHEN v.inc = k.incarnation AND k.low_watermark <= k.high_watermark
    THEN greatest(k.low_watermark, v.version) ELSE v.version END,
  high_watermark = CASE WHEN v.inc = k.incarnation THEN greatest(k.high_watermark, v.version) ELSE v.version END,
  purged_version = CASE WHEN v.inc = k.incarnation THEN k.purged_version ELSE 0 END,
  ordered_by = $9,
  availability = 'READABLE',
  verified_at = greatest(CASE WHEN k.verified_at <= now() THEN k.verified_at END, least($7, now())),
  failure_reason = NULL,
  failure_message = NULL
FROM (
  SELECT COALESCE($5::bigint, CASE WHEN $8::bigint >= incarnation THEN incarnation ELSE 0 END) AS inc,
         $6::numeric AS version
  FROM resource_state WHERE account = $1 AND cluster = $2 AND api_group = $3 AND resource = $4
) v
WHERE k.account = $1 AND k.cluster = $2 AND k.api_group = $3 AND k.resource = $4 AND v.inc >= k.incarnation`;

// After a change of the order no stored version can be compared with a new one, so the next run compares all rows.
const RECORD_FAILURE = `
UPDATE resource_state SET
  failure_reason = $5, failure_message = $6,
  availability = CASE WHEN availability IN ('UNDECIDED', 'WITHHELD') THEN availability ELSE $7 END,
  ordered_by = CASE WHEN $5 = 'OrderChanged' THEN NULL ELSE ordered_by END
WHERE account = $1 AND cluster = $2 AND api_group = $3 AND resource = $4`;

const PURGE_TOMBSTONES = `
WITH purged AS (
  DELETE FROM kubernetes_object o USING resource_state k
  WHERE k.account = $1 AND k.cluster = $2 AND k.api_group = $3 AND k.resource = $4
    AND o.account = $1 AND o.cluster = $2 AND o.api_group = $3 AND o.resource = $4
    AND o.state = 'absent'
    AND ((o.incarnation, o.observed_version) <= (k.incarnation, k.low_watermark)
         OR (o.incarnation, o.observed_version) > (k.incarnation, k.high_watermark))
  RETURNING 1
),
counted AS (SELECT count(*) AS rows FROM purged)
UPDATE resource_state k SET absent_rows = k.absent_rows - counted.rows
FROM counted
WHERE k.account = $1 AND k.cluster = $2 AND k.api_group = $3 AND k.resource = $4 AND counted.rows > 0`;
