import { toJson } from "@bufbuild/protobuf";
import { ReconciliationTriggerSchema } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import type { Failure } from "../../../gen/proto/evenkeel/v1/failure_pb.ts";
import {
  FindingCauseSchema,
  FindingTypeSchema,
  type ReconciliationFinding,
  ReconciliationFindingSchema,
  type ReconciliationRun,
  ReconciliationRunSchema,
  ReconciliationStateSchema,
  type ResourceResult,
} from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { resourceTypeKey } from "../../domain/resource-type.ts";
import type { CliContext } from "../context.ts";
import { type ClientCall, readAllPages } from "../fleet-client.ts";
import { formatEnum, formatJson } from "./message.ts";
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
      `${countFindings(run)}${run.dryRun ? " (dry run)" : ""}`,
      run.failure?.reason ?? "",
    ]),
  );
}

/** Formats a run with its results and findings. */
function formatRun(now: Date, run: ReconciliationRun, findings: readonly ReconciliationFinding[]): string {
  const properties = formatProperties([
    ["Run", run.id],
    ["Cluster", run.cluster],
    ["Dry run", run.dryRun ? "nothing was changed" : ""],
    ["State", `${formatState(run)}${formatNotReadable(run)}`],
    ["Initiator", `${run.initiator} (${formatEnum(ReconciliationTriggerSchema, run.trigger)})`],
    ["Started", formatAgo(now, run.startTime)],
    ["Took", formatBetween(run.startTime, run.endTime)],
    ["Inventory", `${run.inventoryBytes} bytes`],
    ["Repairs", `${run.repairBytes} bytes`],
    ["Error", formatFailure(run.failure)],
    ...formatScopeNotes(run),
  ]);
  const parts = [
    properties,
    formatResults(run),
    formatFindings(now, run, findings),
    formatDifferences(findings),
  ];
  return parts.filter((part) => part !== "").join("\n");
}

/** Formats the warnings and the API groups that did not answer, of a cluster or a run, as properties. */
export function formatScopeNotes({
  warnings,
  undecidedGroups,
}: Pick<ReconciliationRun, "warnings" | "undecidedGroups">): [string, string][] {
  return [
    ...warnings.map((warning): [string, string] => ["Warning", warning]),
    ...undecidedGroups.map(({ group, version, failure }): [string, string] => {
      const name = [group, version].filter((part) => part !== "").join("/");
      return ["Undecided", `${name}: ${failure?.message ?? "did not answer"}`];
    }),
  ];
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

/** Returns the number of rows that a run repaired, or that a dry run would repair. */
export function countFindings(run: ReconciliationRun): bigint {
  return run.results.flatMap(({ findings }) => findings).reduce((total, { count }) => total + count, 0n);
}

function formatResults({ results, dryRun }: ReconciliationRun): string {
  if (results.length === 0) {
    return "";
  }
  const hasOthers = results.some((result) => formatOthers(result) !== "");
  const header = [
    "RESOURCE",
    "STATE",
    "LISTED",
    "EQUAL",
    "PUT",
    "DELETED",
    "WITHHELD",
    dryRun ? "TO REPAIR" : "REPAIRED",
  ];
  return formatTable(
    [...header, ...(hasOthers ? ["OTHER WRITES"] : [])],
    results.map((result) => [
      resourceTypeKey(result.resourceType),
      formatResultState(result, dryRun),
      String(result.listed),
      String(result.equal),
      String(result.put),
      String(result.deleted),
      result.withheld === 0n ? "" : String(result.withheld),
      result.findings.map(({ type, count }) => `${count} ${formatEnum(FindingTypeSchema, type)}`).join(", "),
      ...(hasOthers ? [formatOthers(result)] : []),
    ]),
  );
}

function formatResultState({ pending, failure }: ResourceResult, dryRun: boolean): string {
  if (pending) {
    return "COMPARING";
  }
  return failure === undefined ? (dryRun ? "COMPARED" : "VERIFIED") : formatFailure(failure);
}

/** Formats the writes that are no repairs: "2 FORMAT, 40 FIRST COPY". */
function formatOthers({ formatChanges, scopeChanges }: ResourceResult): string {
  const counts = [
    [formatChanges, "FORMAT"],
    [scopeChanges, "FIRST COPY"],
  ] as const;
  return counts.flatMap(([count, what]) => (count === 0n ? [] : [`${count} ${what}`])).join(", ");
}

function formatFindings(
  now: Date,
  { dryRun }: ReconciliationRun,
  findings: readonly ReconciliationFinding[],
): string {
  if (findings.length === 0) {
    return "";
  }
  return formatTable(
    ["FINDING", "CAUSE", "RESOURCE", "NAMESPACE", "NAME", dryRun ? "FOUND" : "REPAIRED", "DETAIL"],
    findings.map(({ type, cause, ref, repairTime: time, detail }) => [
      formatEnum(FindingTypeSchema, type),
      formatEnum(FindingCauseSchema, cause),
      resourceTypeKey(ref?.resourceType),
      ref?.namespace ?? "",
      ref?.name ?? "",
      formatAgo(now, time),
      detail,
    ]),
  );
}

/** Formats the fields that differed, below the name of their object: "  /spec/replicas: 2 -> 3". */
function formatDifferences(findings: readonly ReconciliationFinding[]): string {
  const lines = findings.flatMap(({ ref, differences }) => {
    const name = [ref?.namespace, ref?.name].filter((part) => part !== "").join("/");
    const fields = differences.map(({ path, stored, observed }) => {
      return `  ${path || "(all)"}: ${stored || "(none)"} -> ${observed || "(none)"}`;
    });
    return fields.length === 0 ? [] : [`${resourceTypeKey(ref?.resourceType)} ${name}`, ...fields];
  });
  return lines.length === 0 ? "" : `FIELDS, STORED -> IN THE CLUSTER\n${lines.join("\n")}\n`;
}

function formatFailure(failure: Failure | undefined): string {
  return failure === undefined ? "" : `${failure.reason}: ${failure.message}`;
}

/** Prints a run with up to `findingLimit` findings. */
export async function printRun(
  { signal, clock, print, printError }: CliContext,
  { client, format }: ClientCall,
  run: ReconciliationRun,
  findingLimit: number,
): Promise<void> {
  let more = false;
  const findings = await readAllPages(findingLimit, async (pageSize, pageToken) => {
    const request = { runId: run.id, pageSize, pageToken };
    const page = await client.listReconciliationFindings(request, { signal });
    more = page.nextPageToken !== "";
    return { items: page.findings, nextPageToken: page.nextPageToken };
  });
  print(
    format === "table"
      ? formatRun(clock.now(), run, findings)
      : formatJson(
          {
            run: toJson(ReconciliationRunSchema, run),
            findings: findings.map((finding) => toJson(ReconciliationFindingSchema, finding)),
          },
          format,
        ),
  );
  if (more) {
    printError(`There are more findings; print them with "evenkeel run ${run.id} --limit COUNT".\n`);
  }
}
