import type { ClientBase } from "pg";
import type { ResourceReconciled } from "../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import type { ResourceType } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import type { ClusterKey } from "../postgres/database.ts";
import type { RunFailure } from "../run-store.ts";
import type { PendingComparison } from "./find-comparisons.ts";
import type { Withheld } from "./guard-deletions.ts";

/** A comparison with the agent's statement and the verdict. */
export interface EndedComparison {
  readonly resourceType: ResourceType;
  readonly end: ResourceReconciled;
  readonly known: PendingComparison;
  /** The reason why it proves nothing. */
  readonly failure: RunFailure | undefined;
  readonly withheld: Withheld | undefined;
}

/** Ends the results of comparisons, and records failures with their resource types, except in a dry run. */
export async function endResults(
  client: ClientBase,
  { account, cluster }: ClusterKey,
  runId: string,
  comparisons: readonly EndedComparison[],
): Promise<void> {
  await client.query(END_RESULTS, [account, cluster, runId, JSON.stringify(comparisons.map(toRow))]);
  const failed = comparisons.filter(({ failure, known }) => failure !== undefined && !known.isDryRun);
  if (failed.length > 0) {
    await client.query(RECORD_FAILURES, [account, cluster, JSON.stringify(failed.map(toRow))]);
  }
}

function toRow({ resourceType, end, known, failure, withheld }: EndedComparison): object {
  return {
    api_group: resourceType.group,
    resource: resourceType.resource,
    listed: toCount(end.listed),
    equal: toCount(end.equal),
    put: toCount(end.put),
    deleted: toCount(end.deleted),
    compared: toCount(end.compared),
    managed: toCount(end.managed),
    gone: toCount(end.gone),
    unrepresentable: toCount(end.unrepresentable?.count ?? 0n),
    withheld: withheld?.deletions ?? 0,
    failure_reason: failure?.reason ?? null,
    failure_message: failure?.message ?? null,
    not_readable: failure !== undefined && isNotReadable(failure, known),
  };
}

const MAX_BIGINT = 2n ** 63n - 1n;

/** Returns a count that Postgres can store: those of an agent have no bound. */
function toCount(count: bigint): string {
  return String(count < MAX_BIGINT ? count : MAX_BIGINT);
}

/** True if the agent never had the right to read the resource type. Rows that are no longer read are a failure. */
function isNotReadable({ reason }: RunFailure, { hasRows, wasVerified }: PendingComparison): boolean {
  return reason === "Forbidden" && !hasRows && !wasVerified;
}

const END_RESULTS = `
UPDATE reconciliation_result r SET
  ended_at = now(), listed = e.listed, equal = e.equal, put = e.put, deleted = e.deleted, compared = e.compared,
  managed = e.managed, gone = e.gone, unrepresentable = e.unrepresentable, withheld = e.withheld,
  failure_reason = e.failure_reason, failure_message = e.failure_message, not_readable = e.not_readable
FROM jsonb_to_recordset($4::jsonb) AS e(
  api_group text, resource text, listed bigint, equal bigint, put bigint, deleted bigint, compared bigint,
  managed bigint, gone bigint, unrepresentable bigint, withheld bigint, failure_reason text, failure_message text,
  not_readable boolean)
WHERE r.account = $1 AND r.cluster = $2 AND r.run_id = $3 AND r.api_group = e.api_group AND r.resource = e.resource`;

// After a change of the order no stored version can be compared with a new one, so the next run compares all rows.
const RECORD_FAILURES = `
UPDATE resource_state k SET
  failure_reason = e.failure_reason, failure_message = e.failure_message,
  availability = CASE WHEN k.availability IN ('UNDECIDED', 'WITHHELD') THEN k.availability
                      WHEN e.not_readable THEN 'NOT_READABLE' ELSE 'READABLE' END,
  ordered_by = CASE WHEN e.failure_reason = 'OrderChanged' THEN NULL ELSE k.ordered_by END
FROM jsonb_to_recordset($3::jsonb)
  AS e(api_group text, resource text, failure_reason text, failure_message text, not_readable boolean)
WHERE k.account = $1 AND k.cluster = $2 AND k.api_group = e.api_group AND k.resource = e.resource`;
