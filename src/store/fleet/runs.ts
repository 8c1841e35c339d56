import { create, type DescEnum, type EnumShape, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type {
  DryRunFinding as DryRunRow,
  ReconciliationFinding as RepairRow,
  ReconciliationResult as ResultRow,
  ReconciliationRun as RunRow,
} from "../../../gen/prisma/client.ts";
import { ReconciliationTriggerSchema } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import type { FailureSchema } from "../../../gen/proto/evenkeel/v1/failure_pb.ts";
import {
  FindingCauseSchema,
  FindingTypeSchema,
  type ReconciliationFinding,
  ReconciliationFindingSchema,
  type ReconciliationRun,
  ReconciliationRunSchema,
  ReconciliationStateSchema,
  type ResourceResult,
  ResourceResultSchema,
} from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { ScopeDeclaredSchema } from "../../../gen/proto/evenkeel/v1/scope_pb.ts";
import type { DifferentField } from "../../domain/field-differences.ts";
import type { Database } from "../postgres/database.ts";

/** Number of findings of one type that a run has for one resource type. */
export interface FindingCountRow {
  readonly runId: string;
  readonly group: string;
  readonly resource: string;
  readonly type: string;
  readonly count: number;
}

/** Returns the run with the results of its resource types. `results` and `counts` belong to this run. */
function toRun(
  row: RunRow,
  results: readonly ResultRow[],
  counts: readonly FindingCountRow[],
): ReconciliationRun {
  const { id, cluster, initiator, attempt, inventoryBytes, repairBytes } = row;
  const failure = toFailure(row.failureReason, row.failureMessage);
  const scope = row.scopeNotes === null ? undefined : fromBinary(ScopeDeclaredSchema, row.scopeNotes);
  return create(ReconciliationRunSchema, {
    id,
    cluster,
    initiator,
    attempt,
    inventoryBytes,
    repairBytes,
    trigger: enumFromName(ReconciliationTriggerSchema, row.trigger),
    state: enumFromName(ReconciliationStateSchema, row.state),
    startTime: timestampFromDate(row.startedAt),
    results: results.map((result) => toResourceResult(row, result, counts)),
    dryRun: row.dryRun,
    undecidedGroups: scope?.undecided ?? [],
    warnings: scope?.warnings ?? [],
    ...(row.endedAt && { endTime: timestampFromDate(row.endedAt) }),
    ...(failure && { failure }),
  });
}

/** Returns the finding of a row. */
export function toFinding(row: RepairRow | DryRunRow): ReconciliationFinding {
  const { group, apiVersion: version, resource, namespace, name, cause, detail } = row;
  return create(ReconciliationFindingSchema, {
    ref: { resourceType: { group, version, resource }, namespace, name },
    type: enumFromName(FindingTypeSchema, row.type),
    cause: enumFromName(FindingCauseSchema, cause),
    detail,
    // Written by recordDifferences in the form of the message.
    differences: row.differences as unknown as DifferentField[],
    repairTime: timestampFromDate(row.foundAt),
  });
}

function toResourceResult(run: RunRow, row: ResultRow, counts: readonly FindingCountRow[]): ResourceResult {
  const { group, apiVersion: version, resource, listed, equal, put, deleted, compared, managed } = row;
  const { gone, unrepresentable, notReadable, withheld, formatChanges, scopeChanges } = row;
  // A run that ended early leaves resource types that are never compared.
  const isLeft = row.endedAt === null && run.endedAt !== null;
  const failure = isLeft ? NOT_COMPARED : toFailure(row.failureReason, row.failureMessage);
  return create(ResourceResultSchema, {
    resourceType: { group, version, resource },
    pending: row.endedAt === null && run.endedAt === null,
    listed,
    equal,
    put,
    deleted,
    compared,
    managed,
    gone,
    unrepresentable,
    notReadable,
    withheld,
    formatChanges,
    scopeChanges,
    findings: counts
      .filter((count) => count.group === group && count.resource === resource)
      .map(({ type, count }) => ({ type: enumFromName(FindingTypeSchema, type), count: BigInt(count) })),
    ...(failure && { failure }),
  });
}

const NOT_COMPARED = {
  reason: "NotCompared",
  message: "the run ended before this resource type was compared",
};

/** Returns the failure of a stored reason and message; undefined if the reason is null. */
export function toFailure(
  reason: string | null,
  message: string | null,
): MessageInitShape<typeof FailureSchema> | undefined {
  return reason === null ? undefined : { reason, message: message ?? "" };
}

/** Returns the runs of these rows, in their order, with the results of their resource types. */
export async function selectRuns(
  { prisma }: Database,
  account: string,
  rows: readonly RunRow[],
): Promise<ReconciliationRun[]> {
  // The cluster is a condition because every key begins with account and cluster.
  const where = {
    account,
    cluster: { in: [...new Set(rows.map(({ cluster }) => cluster))] },
    runId: { in: rows.map(({ id }) => id) },
  };
  const by: ("runId" | "group" | "resource" | "type")[] = ["runId", "group", "resource", "type"];
  const [results, repaired, judged] = await Promise.all([
    prisma.reconciliationResult.findMany({ where, orderBy: [{ group: "asc" }, { resource: "asc" }] }),
    prisma.reconciliationFinding.groupBy({ by, where, orderBy: { type: "asc" }, _count: true }),
    prisma.dryRunFinding.groupBy({ by, where, orderBy: { type: "asc" }, _count: true }),
  ]);
  return rows.map((row) => {
    const isOfRun = ({ runId }: { readonly runId: string }): boolean => runId === row.id;
    const counts = row.dryRun ? judged : repaired;
    const ofRun = counts.filter(isOfRun).map(({ _count, ...count }) => ({ ...count, count: _count }));
    return toRun(row, results.filter(isOfRun), ofRun);
  });
}

/** Returns the enum's value of a stored name, such as "SUCCEEDED"; 0 (unspecified) for a name of a newer version. */
export function enumFromName<Desc extends DescEnum>(schema: Desc, name: string): EnumShape<Desc> {
  const number = schema.values.find(({ localName }) => localName === name)?.number ?? 0;
  // Every number is a value of an open enum.
  return number as EnumShape<Desc>;
}
