import { create, type DescEnum, type EnumShape, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type {
  ReconciliationFinding as FindingRow,
  ReconciliationKind as KindRow,
  ReconciliationRun as RunRow,
} from "../../../gen/prisma/client.ts";
import { ReconciliationTriggerSchema } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import {
  FindingTypeSchema,
  type ReconciliationFinding,
  ReconciliationFindingSchema,
  type ReconciliationRun,
  ReconciliationRunSchema,
  ReconciliationStateSchema,
  type ResourceResult,
  ResourceResultSchema,
} from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import type { FailureSchema } from "../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import type { Database } from "../postgres/database.ts";

/** How many findings of one type a run has for one kind. */
export interface FindingCountRow {
  readonly runId: string;
  readonly group: string;
  readonly resource: string;
  readonly type: string;
  readonly count: number;
}

/** The run with the results of its kinds; `kinds` and `counts` are of this run. */
function toRun(
  row: RunRow,
  resources: readonly KindRow[],
  counts: readonly FindingCountRow[],
): ReconciliationRun {
  const { id, cluster, initiator, attempt, inventoryBytes, repairBytes } = row;
  const error = toFailure(row.errorReason, row.errorMessage);
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
    results: resources.map((kind) => toResourceResult(row, kind, counts)),
    ...(row.endedAt && { endTime: timestampFromDate(row.endedAt) }),
    ...(error && { failure: error }),
  });
}

/** What a run found wrong with one row. */
export function toFinding(row: FindingRow): ReconciliationFinding {
  const { group, version, resource, namespace, name, detail } = row;
  return create(ReconciliationFindingSchema, {
    ref: { resourceType: { group, version, resource }, namespace, name },
    type: enumFromName(FindingTypeSchema, row.type),
    detail,
    repairTime: timestampFromDate(row.foundAt),
  });
}

function toResourceResult(run: RunRow, row: KindRow, counts: readonly FindingCountRow[]): ResourceResult {
  const { group, version, resource, listed, equal, put, deleted } = row;
  // A run that was cut short leaves kinds behind that nobody compares any more.
  const isLeft = row.endedAt === null && run.endedAt !== null;
  const error = isLeft ? notCompared : toFailure(row.failureReason, row.failureMessage);
  return create(ResourceResultSchema, {
    resourceType: { group, version, resource },
    pending: row.endedAt === null && run.endedAt === null,
    listed,
    equal,
    put,
    deleted,
    findings: counts
      .filter((count) => count.group === group && count.resource === resource)
      .map(({ type, count }) => ({ type: enumFromName(FindingTypeSchema, type), count: BigInt(count) })),
    ...(error && { failure: error }),
  });
}

const notCompared = { reason: "NotCompared", message: "the run ended before this kind was compared" };

function toFailure(
  reason: string | null,
  message: string | null,
): MessageInitShape<typeof FailureSchema> | undefined {
  return reason === null ? undefined : { reason, message: message ?? "" };
}

/** The runs of these rows, in their order, with the results of their kinds. */
export async function selectRuns(
  { prisma }: Database,
  account: string,
  rows: readonly RunRow[],
): Promise<ReconciliationRun[]> {
  // The cluster goes along because every key begins with account and cluster.
  const where = {
    account,
    cluster: { in: [...new Set(rows.map(({ cluster }) => cluster))] },
    runId: { in: rows.map(({ id }) => id) },
  };
  const [resources, counts] = await Promise.all([
    prisma.reconciliationKind.findMany({ where, orderBy: [{ group: "asc" }, { resource: "asc" }] }),
    prisma.reconciliationFinding.groupBy({
      by: ["runId", "group", "resource", "type"],
      where,
      orderBy: { type: "asc" },
      _count: true,
    }),
  ]);
  return rows.map((row) => {
    const isOfRun = ({ runId }: { readonly runId: string }): boolean => runId === row.id;
    const ofRun = counts.filter(isOfRun).map(({ _count, ...count }) => ({ ...count, count: _count }));
    return toRun(row, resources.filter(isOfRun), ofRun);
  });
}

/** The enum's value of a name as rows have it, "SUCCEEDED"; 0, unspecified, for a name of a newer version. */
export function enumFromName<Desc extends DescEnum>(schema: Desc, name: string): EnumShape<Desc> {
  const number = schema.values.find(({ localName }) => localName === name)?.number ?? 0;
  // Every number is a value of an open enum.
  return number as EnumShape<Desc>;
}
