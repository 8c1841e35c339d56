import { create } from "@bufbuild/protobuf";
import { ReconciliationTriggerSchema } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import type { Failure } from "../../../gen/proto/evenkeel/v1/failure_pb.ts";
import {
  FindingTypeSchema,
  GetReconciliationRunResponseSchema,
  type ReconciliationFinding,
  type ReconciliationRun,
  ReconciliationStateSchema,
} from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import type { UndecidedGroup } from "../../../gen/proto/evenkeel/v1/scope_pb.ts";
import { resourceTypeKey } from "../../domain/resource-type.ts";
import type { CliContext } from "../context.ts";
import { type ClientCall, readAllPages } from "../fleet-client.ts";
import { formatEnum, formatMessage } from "./message.ts";
import { formatAgo, formatBetween, formatProperties, formatTable } from "./table.ts";

/** Formats runs as a table. */
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

/** Formats a run with its results and findings. */
function formatRun(now: Date, run: ReconciliationRun, findings: readonly ReconciliationFinding[]): string {
  const properties = formatProperties([
    ["Run", run.id],
    ["Cluster", run.cluster],
    ["State", `${formatState(run)}${formatNotReadable(run)}`],
    ["Initiator", `${run.initiator} (${formatEnum(ReconciliationTriggerSchema, run.trigger)})`],
    ["Started", formatAgo(now, run.startTime)],
    ["Took", formatBetween(run.startTime, run.endTime)],
    ["Inventory", `${run.inventoryBytes} bytes`],
    ["Repairs", `${run.repairBytes} bytes`],
    ["Error", formatFailure(run.failure)],
    ...formatUndecided(run.undecidedGroups),
  ]);
  const parts = [properties, formatResults(run), formatFindings(now, findings)];
  return parts.filter((part) => part !== "").join("\n");
}

/** Formats API groups that did not answer, as properties. */
export function formatUndecided(groups: readonly UndecidedGroup[]): [string, string][] {
  return groups.map(({ group, version, failure }) => {
    const name = [group, version].filter((part) => part !== "").join("/");
    return ["Undecided", `${name}: ${failure?.message ?? "did not answer"}`];
  });
}

/** Formats the number of resource types that do not count because the agent may not list them. */
function formatNotReadable({ results }: ReconciliationRun): string {
  const count = results.filter(({ notReadable }) => notReadable).length;
  return count === 0 ? "" : `, ${count} not readable`;
}

/** Formats the state of a run: "SUCCEEDED". */
export function formatState(run: ReconciliationRun): string {
  return formatEnum(ReconciliationStateSchema, run.state);
}

/** Returns the number of rows that a run repaired. */
export function countFindings(run: ReconciliationRun): bigint {
  return run.results.flatMap(({ findings }) => findings).reduce((total, { count }) => total + count, 0n);
}

function formatResults({ results }: ReconciliationRun): string {
  if (results.length === 0) {
    return "";
  }
  return formatTable(
    ["RESOURCE", "STATE", "LISTED", "EQUAL", "PUT", "DELETED", "WITHHELD", "REPAIRED"],
    results.map(
      ({ resourceType, pending, listed, equal, put, deleted, withheld, findings, failure: error }) => [
        resourceTypeKey(resourceType),
        pending ? "COMPARING" : error === undefined ? "VERIFIED" : formatFailure(error),
        String(listed),
        String(equal),
        String(put),
        String(deleted),
        withheld === 0n ? "" : String(withheld),
        findings.map(({ type, count }) => `${count} ${formatEnum(FindingTypeSchema, type)}`).join(", "),
      ],
    ),
  );
}

function formatFindings(now: Date, findings: readonly ReconciliationFinding[]): string {
  if (findings.length === 0) {
    return "";
  }
  return formatTable(
    ["FINDING", "RESOURCE", "NAMESPACE", "NAME", "REPAIRED", "DETAIL"],
    findings.map(({ type, ref, repairTime: time, detail }) => [
      formatEnum(FindingTypeSchema, type),
      resourceTypeKey(ref?.resourceType),
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

/** Prints a run; as a table, with up to `findingLimit` findings. */
export async function printRun(
  { signal, clock, print, printError }: CliContext,
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
    printError(`There are more findings; print them with "evenkeel run ${run.id} --limit COUNT".\n`);
  }
}
