import { expandedBytes } from "../../src/event/expanded-bytes.ts";
import { seconds, type Violation } from "./checker.ts";
import { CHECKED, type Fleet, type FleetCluster } from "./fleet.ts";
import { type HistoryEvent, RESOURCE, type RowEvent } from "./history.ts";
import type { Gauge } from "./peaks.ts";
import type { Fault, Plan } from "./plan.ts";
import { TUNING, WINDOW_LIMITS } from "./programs.ts";

/*
 * What must go well although faults happen: no storm of sessions, and bounded queues. In plans whose faults are mild, each
 * comparison verifies its resource type, and each change has its row within seconds, without the help of a run.
 */

/** Faults that no comparison may fail for: one refused request, and what a watch lacks. */
const MILD: ReadonlySet<Fault> = new Set([
  "one API error",
  "bookmarks held",
  "watch events lost",
  "deletions at last version",
]);

/** Faults that delay and lose no change. */
const HARMLESS: ReadonlySet<Fault> = new Set(["deletions at last version", "bookmarks held"]);

/** Checks the progress of all clusters. */
export async function checkProgress(
  fleet: Fleet,
  plan: Plan,
  history: readonly HistoryEvent[],
): Promise<Violation[]> {
  return [
    ...(await checkSessions(fleet)),
    ...checkBounds(fleet),
    ...(hasOnly(plan, MILD) ? await checkComparisons(fleet, plan) : []),
    ...(hasOnly(plan, HARMLESS)
      ? fleet.clusters.flatMap((cluster) => checkPromptness(history, cluster, fleet.time.elapsedMs))
      : []),
  ];
}

function hasOnly({ steps }: Plan, faults: ReadonlySet<Fault>): boolean {
  return steps.every((step) => step.type !== "fault" || faults.has(step.fault));
}

/** Most sessions of an agent's process, and of a cluster, within a minute that the faults of a plan can cause. */
const MAX_SESSIONS = 12;
const MAX_SESSIONS_OF_CLUSTER = 18;

const MOST_SESSIONS = `
SELECT account, cluster, max(of_process)::int AS "ofProcess", max(of_cluster)::int AS "ofCluster" FROM (
  SELECT account, cluster,
    count(*) OVER (
      PARTITION BY account, cluster, instance_id ORDER BY opened_at RANGE INTERVAL '1 minute' PRECEDING) AS of_process,
    count(*) OVER (
      PARTITION BY account, cluster ORDER BY opened_at RANGE INTERVAL '1 minute' PRECEDING) AS of_cluster
  FROM agent_session) counts
GROUP BY account, cluster`;

interface SessionCounts {
  readonly account: string;
  readonly cluster: string;
  readonly ofProcess: number;
  readonly ofCluster: number;
}

/**
 * Sessions begin because a process started or a connection broke, and not in a loop. A new process has a new backoff, so
 * a cluster may have more of them than a process.
 */
async function checkSessions({ pool, time }: Fleet): Promise<Violation[]> {
  const { rows } = await pool.query<SessionCounts>(MOST_SESSIONS);
  return rows
    .filter(({ ofProcess, ofCluster }) => ofProcess > MAX_SESSIONS || ofCluster > MAX_SESSIONS_OF_CLUSTER)
    .map(({ account, cluster, ofProcess, ofCluster }) => ({
      ...{ invariant: "few sessions", at: time.elapsedMs, cluster: `${account}/${cluster}`, resource: "" },
      message: `${ofProcess} sessions of a process and ${ofCluster} of the cluster within a minute`,
    }));
}

/** Size of the end of a comparison with a failure, and of its message. */
const MAX_END_BYTES = 512;

/** Returns the highest values of the gauges. A delivery is counted with its batch expanded. */
function boundsOf({ published }: Fleet): Readonly<Record<Gauge, number>> {
  const largest = Math.max(0, ...published.map(({ payload }) => expandedBytes(payload)));
  return {
    // One more batch or change, and the end of the comparison of each of three resource types.
    evenkeel_agent_pending_bytes: TUNING.maxPendingBytes + largest + 3 * MAX_END_BYTES,
    // One more delivery.
    evenkeel_ingester_held_bytes: WINDOW_LIMITS.maxBytes + largest,
  };
}

function checkBounds(fleet: Fleet): Violation[] {
  const { peaks, time } = fleet;
  return (Object.entries(boundsOf(fleet)) as [Gauge, number][])
    .filter(([gauge, bound]) => peaks.of(gauge) > bound)
    .map(([gauge, bound]) => ({
      ...{ invariant: "bounded queues", at: time.elapsedMs, cluster: "", resource: "" },
      message: `${gauge} was ${peaks.of(gauge)}, expected at most ${bound}`,
    }));
}

/** Reasons for which a comparison fails although nothing failed: a definition was removed, or the scope changed. */
const EXPECTED = ["NotFound", "NotServed", "NotInScope", "OutOfScope", "ScopeChanged", "DeletesWithheld"];

async function checkComparisons({ pool, time }: Fleet, { steps }: Plan): Promise<Violation[]> {
  const { rows } = await pool.query<
    Record<"account" | "cluster" | "resource" | "reason" | "message", string>
  >(
    `SELECT account, cluster, ${RESOURCE("r")} AS resource, failure_reason AS reason, failure_message AS message
     FROM reconciliation_result r WHERE failure_reason <> ALL ($1)`,
    [EXPECTED],
  );
  // Only Postgres knows what Postgres cannot store: the first attempt is refused. Alone, an object without a uid counts as
  // one of a resource type without versions.
  const hasOdd = steps.some((step) => step.type === "write" && step.write === "create odd");
  const isOdd = (resource: string, reason: string): boolean =>
    hasOdd && resource === "configmaps" && ["Refused", "OrderChanged"].includes(reason);
  return rows
    .filter(({ resource, reason }) => CHECKED.includes(resource) && !isOdd(resource, reason))
    .map(({ account, cluster, resource, reason, message }) => ({
      ...{
        invariant: "no failed comparison",
        at: time.elapsedMs,
        cluster: `${account}/${cluster}`,
        resource,
      },
      message: `${resource}: ${reason}: ${message}`,
    }));
}

/** Longest time from a change to its row while nothing fails, in milliseconds. */
const PROMPT_MS = 5_000;

/** Time in which the programs start, in milliseconds. */
const STARTED_MS = 10_000;

/** Resource types whose changes must have their rows promptly; one that is installed waits for the next discovery. */
const PROMPT: readonly string[] = ["configmaps", "namespaces"];

function checkPromptness(
  history: readonly HistoryEvent[],
  { id, account, name, truth }: FleetCluster,
  until: number,
): Violation[] {
  const rows = history.filter(
    (event): event is RowEvent => event.type === "row" && event.account === account && event.cluster === name,
  );
  return truth.events.flatMap(({ resource, key, state, at }, index) => {
    const due = at + PROMPT_MS;
    if (!PROMPT.includes(resource) || at < STARTED_MS || due > until) {
      return [];
    }
    const isSame = (other: {
      readonly resource: string;
      readonly key: string;
      readonly at: number;
    }): boolean => other.resource === resource && other.key === key && other.at <= due;
    const row = rows.findLast(isSame);
    const held = row?.row === "present" || row?.row === "quarantined" ? row.state : undefined;
    if (truth.events.slice(index + 1).some(isSame) || row?.isIngester === false || held === state) {
      return [];
    }
    const message = `${key} was ${state ?? "gone"} at ${seconds(at)}, its row ${held ?? "none"} at ${seconds(due)}`;
    return [{ invariant: "prompt changes", at: due, cluster: id, resource, key, message }];
  });
}
