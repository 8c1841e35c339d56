import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import { ReconciliationTrigger } from "../../gen/proto/evenkeel/v1/batch_pb.ts";
import {
  FindingType,
  type ReconciliationFinding,
  type ReconciliationRun,
  ReconciliationState,
} from "../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { resourceTypeKey } from "../domain/resource-type.ts";
import type { DriftedObject, DriftType, InjectedDrift } from "./drift.ts";

/** What is told of a run, and which drift is still to be found after it. */
export interface RunStory {
  readonly lines: readonly string[];
  readonly open: readonly InjectedDrift[];
}

const BROKEN: Readonly<Record<DriftType, string>> = {
  "lost-event": "changed in the cluster, and no watch was told",
  "edited-content": "edited by hand in Postgres, its version kept",
  "deleted-row": "deleted by hand from Postgres",
  "ghost-row": "inserted by hand into Postgres; the cluster has no such object",
  "absurd-version": "claimed to be newer than the cluster will ever be",
  "deleted-resource-type": "deleted by hand from Postgres, the whole resource type",
};

const FINDINGS: Readonly<Record<number, string>> = {
  [FindingType.MISSING_ROW]: "had no row",
  [FindingType.STALE_ROW]: "differed",
  [FindingType.GHOST_ROW]: "was a ghost",
};

const TRIGGERS: Readonly<Record<number, string>> = {
  [ReconciliationTrigger.INTERVAL]: "on schedule",
  [ReconciliationTrigger.CONNECT]: "on connect",
  [ReconciliationTrigger.MANUAL]: "by hand",
};

/** One line about what was broken. */
export function formatDriftEvent({ type, time, objects }: InjectedDrift): string {
  return `${clockTime(time)}  broke     ${nameAll(objects)}: ${BROKEN[type]}`;
}

/**
 * The lines about a run that has ended, with everything that it found. Drift is over when all of its objects were
 * found, or when a run that began after it has verified their kind: what that did not find, a live change had set
 * right before.
 */
export function formatRunEvent(
  open: readonly InjectedDrift[],
  run: ReconciliationRun,
  found: readonly ReconciliationFinding[],
): RunStory {
  const start = toDate(run.startTime);
  const end = toDate(run.endTime) ?? start;
  const lines = [headline(run, start, end)];
  if (run.state !== ReconciliationState.SUCCEEDED && run.state !== ReconciliationState.PARTIAL) {
    return { lines, open };
  }
  const unexplained = new Map(found.map((finding) => [toKey(toObject(finding)), finding]));
  const stillOpen: InjectedDrift[] = [];
  for (const drift of open) {
    const hits = drift.objects.filter((object) => unexplained.has(toKey(object))).length;
    // A run verifies what was so when it began: it proves nothing about what was broken later.
    const isOver = start !== undefined && drift.time < start && isVerified(run, drift.objects[0]);
    if (hits === drift.objects.length || (hits > 0 && isOver)) {
      lines.push(`${INDENT}repaired  ${nameAll(drift.objects)}: ${BROKEN[drift.type]}${after(drift, end)}`);
    } else if (isOver) {
      lines.push(`${INDENT}right     ${nameAll(drift.objects)}: a live change was faster`);
    } else {
      stillOpen.push(drift);
    }
  }
  for (const key of open.flatMap((drift) => drift.objects.map(toKey))) {
    unexplained.delete(key);
  }
  const others = [...unexplained.values()];
  for (const finding of others.slice(0, MAX_OTHERS)) {
    lines.push(
      `${INDENT}repaired  ${nameAll([toObject(finding)])}: ${FINDINGS[finding.type] ?? "was wrong"}`,
    );
  }
  if (others.length > MAX_OTHERS) {
    lines.push(`${INDENT}repaired  ${others.length - MAX_OTHERS} others: evenkeel run ${run.id}`);
  }
  if (run.state === ReconciliationState.SUCCEEDED && start !== undefined) {
    lines.push(`${INDENT}verified  the copy is what the cluster was at ${clockTime(start)}`);
  }
  return { lines, open: stillOpen };
}

/** Findings that nothing explains and that are told one by one. */
const MAX_OTHERS = 5;

const INDENT = " ".repeat(10);

function headline(run: ReconciliationRun, start: Date | undefined, end: Date | undefined): string {
  const time = end === undefined ? " ".repeat(8) : clockTime(end);
  const what = `${time}  run       ${TRIGGERS[run.trigger] ?? "unasked"}`;
  const reason = run.failure?.message ? `: ${run.failure.message}` : "";
  switch (run.state) {
    case ReconciliationState.SUCCEEDED:
      return `${what}: ${result(run)}; ${cost(run, start, end)}`;
    case ReconciliationState.PARTIAL: {
      const failed = run.results.filter((result) => result.failure !== undefined).length;
      return `${what}: ${result(run)}, ${count(failed, "resource type")} not verified; ${cost(run, start, end)}`;
    }
    case ReconciliationState.SUPERSEDED:
      return `${what}: given up, the agent connected anew`;
    case ReconciliationState.EXPIRED:
      return `${what}: not done in time${reason}`;
    default:
      return `${what}: failed${reason}`;
  }
}

function result({ results }: ReconciliationRun): string {
  const listed = results.reduce((sum, result) => sum + result.listed, 0n);
  const wrong = results
    .flatMap((result) => result.findings)
    .reduce((sum, finding) => sum + finding.count, 0n);
  const compared = `${count(listed, "object")} in ${count(results.length, "resource type")} compared`;
  if (wrong > 0n) {
    return `${compared}, ${count(wrong, "row")} set right`;
  }
  const put = results.reduce((sum, result) => sum + result.put, 0n);
  return put > 0n ? `${compared}, ${put} copied` : `${compared}, nothing was wrong`;
}

function cost(run: ReconciliationRun, start: Date | undefined, end: Date | undefined): string {
  const bytes = `${size(run.inventoryBytes)} of inventory, ${size(run.repairBytes)} of repairs`;
  return start === undefined || end === undefined ? bytes : `${bytes}, ${end.getTime() - start.getTime()} ms`;
}

function isVerified(run: ReconciliationRun, { resourceKey }: DriftedObject): boolean {
  return run.results.some((result) => {
    return (
      resourceTypeKey(result.resourceType) === resourceKey && !result.pending && result.failure === undefined
    );
  });
}

function after(drift: InjectedDrift, end: Date | undefined): string {
  return end === undefined ? "" : ` (after ${Math.round((end.getTime() - drift.time.getTime()) / 1000)} s)`;
}

function nameAll(objects: readonly DriftedObject[]): string {
  const [first] = objects;
  if (first === undefined) {
    return "nothing";
  }
  const { resourceKey } = first;
  return objects.length > 1 ? `${objects.length} ${resourceKey}` : `${resourceKey} ${joinName(first)}`;
}

function joinName({ namespace, name }: DriftedObject): string {
  return namespace === "" ? name : `${namespace}/${name}`;
}

function toObject({ ref }: ReconciliationFinding): DriftedObject {
  return {
    resourceKey: resourceTypeKey(ref?.resourceType),
    namespace: ref?.namespace ?? "",
    name: ref?.name ?? "",
  };
}

function toKey({ resourceKey, namespace, name }: DriftedObject): string {
  return `${resourceKey}/${namespace}/${name}`;
}

function toDate(timestamp: Timestamp | undefined): Date | undefined {
  return timestamp === undefined ? undefined : timestampDate(timestamp);
}

function clockTime(time: Date): string {
  return time.toISOString().slice(11, 19);
}

function count(number: number | bigint, thing: string): string {
  return `${number} ${thing}${BigInt(number) === 1n ? "" : "s"}`;
}

function size(bytes: bigint): string {
  return bytes < 1000n ? `${bytes} B` : `${(Number(bytes) / 1000).toFixed(1)} kB`;
}
