import { create, type DescEnum } from "@bufbuild/protobuf";
import { ReconciliationTriggerSchema } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import type { Failure } from "../../../gen/proto/evenkeel/v1/failure_pb.ts";
import {
  FindingTypeSchema,
  GetReconciliationRunResponseSchema,
  type ReconciliationFinding,
  type ReconciliationRun,
  ReconciliationStateSchema,
} from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { formatResourceName } from "../../domain/resource-type.ts";
import type { CliContext } from "../context.ts";
import { type ClientCall, readAllPages } from "../fleet-client.ts";
import { formatMessage } from "./message.ts";
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
      run.failure?.reason ?? "",
    ]),
  );
}

/** A run with its kinds and what it repaired. */
function formatRun(now: Date, run: ReconciliationRun, findings: readonly ReconciliationFinding[]): string {
  const properties = formatProperties([
    ["Run", run.id],
    ["Cluster", run.cluster],
    ["State", formatState(run)],
    ["Asked by", `${run.initiator} (${formatEnum(ReconciliationTriggerSchema, run.trigger)})`],
    ["Started", formatAgo(now, run.startTime)],
    ["Took", formatBetween(run.startTime, run.endTime)],
    ["Inventory", `${run.inventoryBytes} bytes`],
    ["Repairs", `${run.repairBytes} bytes`],
    ["Error", formatFailure(run.failure)],
  ]);
  const parts = [properties, formatResults(run), formatFindings(now, findings)];
  return parts.filter((part) => part !== "").join("\n");
}

/** How far a run has come, for people: "SUCCEEDED". */
export function formatState(run: ReconciliationRun): string {
  return formatEnum(ReconciliationStateSchema, run.state);
}

/** Rows that a run found wrong and set right. */
export function countFindings(run: ReconciliationRun): bigint {
  return run.results.flatMap(({ findings }) => findings).reduce((total, { count }) => total + count, 0n);
}

function formatResults({ results }: ReconciliationRun): string {
  if (results.length === 0) {
    return "";
  }
  return formatTable(
    ["KIND", "STATE", "LISTED", "EQUAL", "PUT", "DELETED", "REPAIRED"],
    results.map(({ resourceType, pending, listed, equal, put, deleted, findings, failure: error }) => [
      formatResourceName(resourceType),
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
    findings.map(({ type, ref, repairTime: time, detail }) => [
      formatEnum(FindingTypeSchema, type),
      formatResourceName(ref?.resourceType),
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

/** Prints a run; for people, with up to `findingLimit` of what it repaired. */
export async function printRun(
  { signal, clock, print, printError: tell }: CliContext,
  { client, format }: ClientCall,
  run: ReconciliationRun,
  findingLimit: number,
): Promise<void> {
  if (format !== "table") {
    const response = create(GetReconciliationRunResponseSchema, { run });
    print(formatMessage(GetReconciliationRunResponseSchema, response, format));
    return;
  }
  let more = false;
  const findings = await readAllPages(findingLimit, async (pageSize, pageToken) => {
    const request = { runId: run.id, pageSize, pageToken };
    const page = await client.listReconciliationFindings(request, { signal });
    more = page.nextPageToken !== "";
    return { items: page.findings, nextPageToken: page.nextPageToken };
  });
  print(formatRun(clock.now(), run, findings));
  if (more) {
    tell(`There are more findings than these ${findings.length}: see "evenkeel run ${run.id} --limit".\n`);
  }
}

/** A value's name without its enum's: "SUCCEEDED". One that this version does not know shows as its number. */
function formatEnum(schema: DescEnum, value: number): string {
  return schema.value[value]?.localName ?? String(value);
}
