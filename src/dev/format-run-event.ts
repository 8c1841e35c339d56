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

/** Output for a run, and the drift that no run has found yet. */
export interface RunStory {
  readonly lines: readonly string[];
  readonly open: readonly InjectedDrift[];
}

const BROKEN: Readonly<Record<DriftType, string>> = {
  "lost-event": "changed in the cluster, event lost",
  "edited-content": "edited in Postgres, same version",
  "deleted-row": "deleted from Postgres",
  "ghost-row": "inserted into Postgres, not in the cluster",
  "absurd-version": "observed version set above all of the cluster",
  "deleted-resource-type": "deleted from Postgres, all of the resource type",
};

const FINDINGS: Readonly<Record<number, string>> = {
  [FindingType.MISSING_ROW]: "had no row",
  [FindingType.STALE_ROW]: "differed",
  [FindingType.GHOST_ROW]: "was a ghost",
};

const TRIGGERS: Readonly<Record<number, string>> = {
  [ReconciliationTrigger.INTERVAL]: "on schedule",
  [ReconciliationTrigger.CONNECT]: "on connect",
  [ReconciliationTrigger.MANUAL]: "manual",
};

/** Formats the line about injected drift. */
export function formatDriftEvent({ type, time, objects }: InjectedDrift): string {
  return `${clockTime(time)}  broke     ${nameAll(objects)}: ${BROKEN[type]}`;
}

/**
 * Formats the lines about an ended run and its findings. Drift is closed if a run found all of its objects, or if a run
 * that began after it verified their resource type. In that case a live change had repaired the other objects.
 */
export function formatRunEvent(
  open: readonly InjectedDrift[],
  run: ReconciliationRun,
  found: readonly ReconciliationFinding[],
): RunStory {
  const start = toDate(run.startTime);
  const end = toDate(run.endTime) ?? start;
  const lines = [headline(run, start, end)];
  if (run.dryRun) {
    return { lines, open };
  }
  if (run.state !== ReconciliationState.SUCCEEDED && run.state !== ReconciliationState.PARTIAL) {
    return { lines, open };
  }
  const unexplained = new Map(found.map((finding) => [toKey(toObject(finding)), finding]));
  const stillOpen: InjectedDrift[] = [];
  for (const drift of open) {
    const hits = drift.objects.filter((object) => unexplained.has(toKey(object))).length;
    // A run verifies the rows as of its begin. It proves nothing about later drift.
    const isOver = start !== undefined && drift.time < start && isVerified(run, drift.objects[0]);
    if (hits === drift.objects.length || (hits > 0 && isOver)) {
      lines.push(`${INDENT}repaired  ${nameAll(drift.objects)}: ${BROKEN[drift.type]}${after(drift, end)}`);
    } else if (isOver) {
      lines.push(`${INDENT}repaired  ${nameAll(drift.objects)}: by a live change, before the run`);
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
    lines.push(`${INDENT}verified  the copy equals the cluster as of ${clockTime(start)}`);
  }
  return { lines, open: stillOpen };
}

/** Highest number of other findings with a line of their own. */
const MAX_OTHERS = 5;

const INDENT = " ".repeat(10);

function headline(run: ReconciliationRun, start: Date | undefined, end: Date | undefined): string {
  const time = end === undefined ? " ".repeat(8) : clockTime(end);
  const trigger = run.dryRun ? "dry run" : (TRIGGERS[run.trigger] ?? "unknown trigger");
  const what = `${time}  run       ${trigger}`;
  const reason = run.failure?.message ? `: ${run.failure.message}` : "";
  switch (run.state) {
    case ReconciliationState.SUCCEEDED:
      return `${what}: ${result(run)}; ${cost(run, start, end)}`;
    case ReconciliationState.PARTIAL: {
      const failed = run.results.filter((result) => result.failure !== undefined).length;
      return `${what}: ${result(run)}, ${count(failed, "resource type")} not verified; ${cost(run, start, end)}`;
    }
    case ReconciliationState.SUPERSEDED:
      return `${what}: superseded, the agent reconnected`;
    case ReconciliationState.EXPIRED:
      return `${what}: expired${reason}`;
    default:
      return `${what}: failed${reason}`;
  }
}

function result({ results, dryRun }: ReconciliationRun): string {
  const listed = results.reduce((sum, result) => sum + result.listed, 0n);
  const wrong = results
    .flatMap((result) => result.findings)
    .reduce((sum, finding) => sum + finding.count, 0n);
  const compared = `${count(listed, "object")} in ${count(results.length, "resource type")} compared`;
  if (wrong > 0n) {
    return `${compared}, ${count(wrong, "row")} ${dryRun ? "to repair" : "repaired"}`;
  }
  const put = results.reduce((sum, result) => sum + result.put, 0n);
  return put > 0n && !dryRun ? `${compared}, ${put} copied` : `${compared}, no drift`;
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
