import type { ClientBase } from "pg";
import type {
  ResourceReconciled,
  ResourcesReconciled,
} from "../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import type { DeletionGuard } from "../../domain/reconciliation/deletion-guard.ts";
import { judgeComparison } from "../../domain/reconciliation/judge-comparison.ts";
import { resourceTypeKey } from "../../domain/resource-type.ts";
import { escapeControls } from "../../lib/text.ts";
import type { StreamPosition } from "../ingest-store.ts";
import type { RunFailure } from "../run-store.ts";
import { type EndedComparison, endResults } from "./end-results.ts";
import { endRunWhenComplete } from "./end-run.ts";
import { findComparisons, type PendingComparison } from "./find-comparisons.ts";
import { guardDeletions, type Withheld } from "./guard-deletions.ts";
import { restartSession } from "./live-sessions.ts";
import type { Progress } from "./record-progress.ts";

/**
 * Ends resource types of a run, and the run with its last resource type. If the agent's statement about one agrees with
 * what the store knows, the deletions that its comparison staged are applied, the low watermark rises to the list's
 * version, tombstones at or below it are purged, and the resource type is verified as of the time of the request.
 * Otherwise its comparison failed, and its deletions have no effect. If the guard withholds deletions, it is not
 * verified. Returns the withheld deletions.
 *
 * Does nothing if the run has ended, if it belongs to another session, or if a later attempt compares again. Ignores
 * resource types that ended before. A dry run is judged too, and changes nothing else than its results.
 */
export async function verifyResources(
  client: ClientBase,
  position: StreamPosition,
  progress: Progress,
  { run, ends }: ResourcesReconciled,
  guard: DeletionGuard,
): Promise<readonly Withheld[]> {
  if (run === undefined) {
    return [];
  }
  const resourceTypes = ends.flatMap(({ resourceType }) => resourceType ?? []);
  const pending = await findComparisons(client, position, run.runId, resourceTypes);
  const judged: EndedComparison[] = [];
  for (const end of ends) {
    const { resourceType } = end;
    const known = pending.get(resourceTypeKey(resourceType));
    if (resourceType !== undefined && known !== undefined && run.attempt >= known.currentAttempt) {
      const fault = toFailure(end) ?? judge(position, progress, run.attempt, end, known);
      const withheld =
        fault === undefined && known.hasDeletions && !known.isDryRun
          ? await guardDeletions(client, position, guard, { ...known, resourceType, run })
          : undefined;
      judged.push({ resourceType, end, known, withheld, failure: fault ?? withheld?.failure });
    }
  }
  const ended = await verify(client, position, judged);
  await endResults(client, position, run.runId, ended);
  const ahead = ended.find(({ end, known }) => end.scopeGeneration > known.declaredGeneration);
  if (ahead !== undefined) {
    const [lost, last] = [ahead.end.scopeGeneration, ahead.known.declaredGeneration];
    await restartSession(client, position, `scope: generation ${lost} was lost; the last one is ${last}`);
  }
  await endRunWhenComplete(client, position, run.runId);
  return ended.flatMap(({ withheld }) => withheld ?? []);
}

const NEWER_INCARNATION: RunFailure = {
  reason: "VersionsWentBack",
  message: "the versions of the resource type went back during the run",
};

/** Returns the failure that the agent states. Postgres cannot store each character of its message. */
function toFailure({ failure }: ResourceReconciled): RunFailure | undefined {
  return failure && { reason: failure.reason, message: escapeControls(failure.message, "\n") };
}

function judge(
  { epoch, sequence }: StreamPosition,
  { gapSequence }: Progress,
  attempt: number,
  end: ResourceReconciled,
  known: PendingComparison,
): RunFailure | undefined {
  if (!known.isInScope) {
    return { reason: "OutOfScope", message: "the resource type left the scope during the run" };
  }
  const { incarnation, unrepresentable, ...counts } = end;
  return judgeComparison(
    {
      ...counts,
      attempt,
      unrepresentable: unrepresentable?.count ?? 0n,
      ...(incarnation !== undefined && { incarnation }),
    },
    { ...known, epoch, sequence, gapSequence },
  );
}

/**
 * Verifies the resource types of comparisons without a failure, except in a dry run. Returns all comparisons: a
 * resource type that has a newer incarnation than its comparison failed.
 */
async function verify(
  client: ClientBase,
  { account, cluster, epoch, sequence }: StreamPosition,
  comparisons: readonly EndedComparison[],
): Promise<readonly EndedComparison[]> {
  const proven = comparisons.filter(({ failure, known }) => failure === undefined && !known.isDryRun);
  const [first] = proven;
  if (first === undefined) {
    return comparisons;
  }
  const isByPosition = proven.map(({ end }) => end.listVersion === "");
  const { rows } = await client.query<{ api_group: string; resource: string }>(VERIFY, [
    account,
    cluster,
    epoch,
    first.known.requestedAt,
    proven.map(({ resourceType }) => resourceType.group),
    proven.map(({ resourceType }) => resourceType.resource),
    proven.map(({ end }, at) => (isByPosition[at] ? epoch : (end.incarnation ?? null))),
    proven.map(({ end }, at) => (isByPosition[at] ? String(sequence) : end.listVersion)),
    isByPosition.map((byPosition) => (byPosition ? "POSITION" : "VERSION")),
  ]);
  await client.query(PURGE_TOMBSTONES, [
    account,
    cluster,
    rows.map(({ api_group }) => api_group),
    rows.map(({ resource }) => resource),
  ]);
  const verified = new Set(
    rows.map(({ api_group: group, resource }) => resourceTypeKey({ group, resource })),
  );
  return comparisons.map((each) =>
    proven.includes(each) && !verified.has(resourceTypeKey(each.resourceType))
      ? { ...each, failure: NEWER_INCARNATION }
      : each,
  );
}

// Watermarks and verified times only grow. Watermarks start again with a new incarnation. A low watermark above the
// high watermark is corrupt and counts as 0. A verified time in the future counts as none.
const VERIFY = `
UPDATE resource_state k SET
  incarnation = v.inc,
  low_watermark = CASE WHEN v.inc = k.incarnation AND k.low_watermark <= k.high_watermark
    THEN greatest(k.low_watermark, v.version) ELSE v.version END,
  high_watermark = CASE WHEN v.inc = k.incarnation THEN greatest(k.high_watermark, v.version) ELSE v.version END,
  purged_version = CASE WHEN v.inc = k.incarnation THEN k.purged_version ELSE 0 END,
  ordered_by = v.ordered_by,
  availability = 'READABLE',
  verified_at = greatest(CASE WHEN k.verified_at <= now() THEN k.verified_at END, least($4, now())),
  failure_reason = NULL,
  failure_message = NULL
FROM (
  SELECT s.api_group, s.resource, e.version, e.ordered_by,
         COALESCE(e.incarnation, CASE WHEN $3::bigint >= s.incarnation THEN s.incarnation ELSE 0 END) AS inc
  FROM unnest($5::text[], $6::text[], $7::bigint[], $8::numeric[], $9::text[])
    AS e(api_group, resource, incarnation, version, ordered_by)
  JOIN resource_state s
    ON s.account = $1 AND s.cluster = $2 AND s.api_group = e.api_group AND s.resource = e.resource
) v
WHERE k.account = $1 AND k.cluster = $2 AND k.api_group = v.api_group AND k.resource = v.resource
  AND v.inc >= k.incarnation
RETURNING k.api_group, k.resource`;

const PURGE_TOMBSTONES = `
WITH purged AS (
  DELETE FROM kubernetes_object o USING unnest($3::text[], $4::text[]) AS e(api_group, resource), resource_state k
  WHERE k.account = $1 AND k.cluster = $2 AND k.api_group = e.api_group AND k.resource = e.resource
    AND o.account = $1 AND o.cluster = $2 AND o.api_group = e.api_group AND o.resource = e.resource
    AND o.state = 'absent'
    AND ((o.incarnation, o.observed_version) <= (k.incarnation, k.low_watermark)
         OR (o.incarnation, o.observed_version) > (k.incarnation, k.high_watermark))
  RETURNING o.api_group, o.resource
),
counted AS (SELECT api_group, resource, count(*) AS rows FROM purged GROUP BY api_group, resource)
UPDATE resource_state k SET absent_rows = k.absent_rows - counted.rows
FROM counted
WHERE k.account = $1 AND k.cluster = $2 AND k.api_group = counted.api_group AND k.resource = counted.resource`;
