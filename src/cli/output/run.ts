import { ReconciliationTriggerSchema } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import {
  FindingTypeSchema,
  type ReconciliationFinding,
  type ReconciliationRun,
  ReconciliationStateSchema,
} from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import type { Failure } from "../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import { formatKindName } from "../../domain/format-kind-name.ts";
import { formatEnum } from "./format-enum.ts";
import { formatProperties, formatTable } from "./table.ts";
import { formatAgo, formatBetween } from "./time.ts";

/** Runs, a line each. */
export function formatRuns(now: Date, runs: readonly ReconciliationRun[]): string {
  return formatTable(
    ["ID", "CLUSTER", "TRIGGER", "STATE", "STARTED", "TOOK", "REPAIRED", "ERROR"],
    runs.map((run) => [
      run.id,
      run.cluster,
      formatEnum(ReconciliationTriggerSchema, run.trigger),
      formatState(run),
      formatAgo(now, run.startTime),
      formatBetween(run.startTime, run.endTime),
      String(countFindings(run)),
      run.error?.reason ?? "",
    ]),
  );
}

/** A run with its kinds and what it repaired. */
export function formatRun(
  now: Date,
  run: ReconciliationRun,
  findings: readonly ReconciliationFinding[],
): string {
  const properties = formatProperties([
    ["Run", run.id],
    ["Cluster", run.cluster],
    ["State", formatState(run)],
    ["Asked by", `${run.initiator} (${formatEnum(ReconciliationTriggerSchema, run.trigger)})`],
    ["Started", formatAgo(now, run.startTime)],
    ["Took", formatBetween(run.startTime, run.endTime)],
    ["Inventory", `${run.inventoryBytes} bytes`],
    ["Repairs", `${run.repairBytes} bytes`],
    ["Error", formatFailure(run.error)],
  ]);
  const parts = [properties, formatKinds(run), formatFindings(now, findings)];
  return parts.filter((part) => part !== "").join("\n");
}

/** How far a run has come, for people: "SUCCEEDED". */
export function formatState(run: ReconciliationRun): string {
  return formatEnum(ReconciliationStateSchema, run.state);
}

/** Rows that a run found wrong and set right. */
export function countFindings(run: ReconciliationRun): bigint {
  return run.kinds.flatMap(({ findings }) => findings).reduce((total, { count }) => total + count, 0n);
}

function formatKinds({ kinds }: ReconciliationRun): string {
  if (kinds.length === 0) {
    return "";
  }
  return formatTable(
    ["KIND", "STATE", "LISTED", "EQUAL", "PUT", "DELETED", "REPAIRED"],
    kinds.map(({ kind, pending, listed, equal, put, deleted, findings, error }) => [
      formatKindName(kind),
      pending ? "COMPARING" : error === undefined ? "VERIFIED" : formatFailure(error),
      String(listed),
      String(equal),
      String(put),
      String(deleted),
      findings.map(({ type, count }) => `${count} ${formatEnum(FindingTypeSchema, type)}`).join(", "),
    ]),
  );
}

function formatFindings(now: Date, findings: readonly ReconciliationFinding[]): string {
  if (findings.length === 0) {
    return "";
  }
  return formatTable(
    ["FINDING", "KIND", "NAMESPACE", "NAME", "REPAIRED", "DETAIL"],
    findings.map(({ type, ref, time, detail }) => [
      formatEnum(FindingTypeSchema, type),
      formatKindName(ref?.kind),
      ref?.namespace ?? "",
      ref?.name ?? "",
      formatAgo(now, time),
      detail,
    ]),
  );
}

function formatFailure(failure: Failure | undefined): string {
  return failure === undefined ? "" : `${failure.reason}: ${failure.message}`;
}
