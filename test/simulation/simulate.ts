import { resourceTypeKey } from "../../src/domain/resource-type.ts";
import { checkProgress } from "./check-progress.ts";
import { checkTables } from "./check-tables.ts";
import { checkHistory, findDifference, formatObjectHistory, type Violation } from "./checker.ts";
import { findRaces } from "./coverage.ts";
import { CHECKED, Fleet, type FleetCluster } from "./fleet.ts";
import { MS, RESOURCE, readHistory, STATE } from "./history.ts";
import type { InProcessPostgres } from "./in-process-postgres.ts";
import { inject } from "./inject.ts";
import type { Fault, Plan, Step } from "./plan.ts";
import { WRITE_ANNOTATION } from "./truth.ts";
import { replaceClock, START } from "./virtual-time.ts";

/** Result of one simulation. */
export interface SimulationResult {
  readonly violations: readonly Violation[];
  /** SHA-256 of the trace. */
  readonly hash: string;
  readonly trace: readonly string[];
  /** What happened to the object of the first violation. */
  readonly history: readonly string[];
  /** Number of times that each fault happened. */
  readonly reached: ReadonlyMap<string, number>;
  /** Virtual time from the last fault until every copy was right and verified, in milliseconds. */
  readonly settledMs: number;
}

/** Longest time from the last fault until every copy must be right and verified, in milliseconds. */
const SETTLE_MS = 180_000;
const POLL_MS = 1_000;

/** Longest durations of faults that count as something else when they last longer, in milliseconds. */
const LONGEST_MS: Partial<Record<Fault, number>> = { "stale lists": 25_000 };

/** Runs one plan on virtual time, and checks its history. */
export async function simulate(plan: Plan, postgres: InProcessPostgres): Promise<SimulationResult> {
  await postgres.clear();
  const fleet = new Fleet(plan, postgres);
  using _ = replaceClock(() => fleet.time.elapsedMs);
  const { time, trace } = fleet;
  fleet.start();
  for (const step of plan.steps) {
    time.schedule(step.at, () => begin(fleet, step));
  }
  await time.runUntil(plan.quietMs);
  trace.add("simulation", "quiet from now on");
  const unsettled = await settle(fleet, plan.quietMs);
  const settledMs = time.elapsedMs - plan.quietMs;
  const isReplayed = plan.isReplayed && !fleet.clusters.some((cluster) => cluster.wasRestored());
  const changedAgain = isReplayed && unsettled.length === 0 ? await replay(fleet) : [];
  const atEnd = [...unsettled, ...changedAgain, ...(await checkTables(fleet))];
  const history = await readHistory(postgres.pool, START);
  const violations = fleet.clusters.flatMap((cluster) => checkHistory(history, cluster));
  fleet.reachLimits();
  const slow = await checkProgress(fleet, plan, history);
  const all = [...violations, ...slow, ...atEnd].toSorted((a, b) => a.at - b.at);
  const [first] = all;
  const broken = fleet.clusters.find(({ id }) => id === first?.cluster);
  for (const race of findRaces(trace.lines)) {
    fleet.reach(race);
  }
  const hash = trace.hash();
  kill(fleet);
  return {
    violations: all,
    hash,
    trace: trace.lines,
    history: first && broken ? formatObjectHistory(history, broken, first) : [],
    reached: fleet.reached,
    settledMs,
  };
}

function begin(fleet: Fleet, step: Step): void {
  const { time, trace } = fleet;
  const cluster = fleet.clusters[step.cluster] as FleetCluster;
  const what =
    step.type === "write"
      ? step.write
      : step.type === "fault"
        ? step.fault
        : step.dryRun
          ? "dry, by hand"
          : "by hand";
  trace.add(cluster.id, `${step.type}: ${what}`);
  switch (step.type) {
    case "write":
      if (step.write === "edit row" || step.write === "delete row") {
        void editByHand(fleet, cluster, step.write);
      } else if (!cluster.mustRest()) {
        cluster.workload.write(step.write, step.seed);
      }
      fleet.reach(step.write);
      break;
    case "fault": {
      const end = inject(fleet, step);
      time.schedule(Math.min(step.forMs, LONGEST_MS[step.fault] ?? Number.POSITIVE_INFINITY), () => {
        trace.add(cluster.id, `end of fault: ${step.fault}`);
        end();
      });
      break;
    }
    case "run":
      void fleet.requestRun(cluster, step.dryRun);
      break;
    default:
      step satisfies never;
  }
}

/** Changes or deletes a row, as a person with psql does. */
async function editByHand(
  { pool }: Fleet,
  { account, name }: FleetCluster,
  write: "edit row" | "delete row",
) {
  const one = `(SELECT ctid FROM kubernetes_object WHERE account = $1 AND cluster = $2 AND state = 'present'
    ORDER BY resource, namespace, name LIMIT 1)`;
  await pool.query(
    write === "delete row"
      ? `DELETE FROM kubernetes_object WHERE ctid = ${one}`
      : `UPDATE kubernetes_object SET content = jsonb_set(content, '{metadata,annotations}', '{"${WRITE_ANNOTATION}": "by hand"}')
         WHERE ctid = ${one}`,
    [account, name],
  );
}

/** Runs until every copy is right and verified after the last fault. Returns what is not, when the time is over. */
async function settle(fleet: Fleet, quietMs: number): Promise<Violation[]> {
  const { time } = fleet;
  for (;;) {
    const missing = await findUnsettled(fleet, quietMs);
    if (missing.length === 0 || time.elapsedMs >= quietMs + SETTLE_MS) {
      return missing;
    }
    await time.runUntil(time.elapsedMs + POLL_MS);
  }
}

async function findUnsettled(fleet: Fleet, quietMs: number): Promise<Violation[]> {
  const { rows: copies } = await fleet.pool.query<Copy>(COPIES);
  return fleet.clusters.flatMap((cluster) =>
    CHECKED.flatMap((resource) => {
      const copy = copies.find(
        (row) => row.account === cluster.account && row.cluster === cluster.name && row.resource === resource,
      );
      return compare(fleet, cluster, quietMs, resource, copy);
    }),
  );
}

function compare(
  { time }: Fleet,
  { id, api, truth, faults }: FleetCluster,
  quietMs: number,
  resource: string,
  copy: Copy | undefined,
): Violation[] {
  const at = time.elapsedMs;
  // A group that does not answer must not hold up the others; its own resource types wait for it.
  if (faults.unavailableGroups.has("example.com") && resource.endsWith(".example.com")) {
    return [];
  }
  const isServed = api.resources().some((each) => resourceTypeKey(each) === resource);
  const difference = findDifference(truth.objectsOf(resource), copy?.rows ?? {});
  const verified = copy?.verified == null ? undefined : copy.verified - START;
  if (difference !== undefined) {
    const { key, message } = difference;
    return [{ invariant: "convergence", at, cluster: id, resource, key, message }];
  }
  if (isServed && (verified === undefined || verified < quietMs)) {
    const message = `${resource}: verified as of ${verified}, not since the last fault at ${quietMs}`;
    return [{ invariant: "liveness", at, cluster: id, resource, message }];
  }
  return [];
}

/** The copy of the objects of one resource type. */
interface Copy {
  readonly account: string;
  readonly cluster: string;
  readonly resource: string;
  readonly verified: number | null;
  /** States of the objects, by key. */
  readonly rows: Readonly<Record<string, string>>;
}

const COPIES = `
SELECT k.account, k.cluster, ${RESOURCE("k")} AS resource, ${MS("k.verified_at")}::float8 AS verified,
       COALESCE((SELECT jsonb_object_agg(o.namespace || '/' || o.name, ${STATE("o")})
                 FROM kubernetes_object o WHERE o.account = k.account AND o.cluster = k.cluster
                   AND o.api_group = k.api_group AND o.resource = k.resource AND o.state <> 'absent'), '{}') AS rows
FROM resource_state k`;

/** Time in which ingesters apply all messages once more, in milliseconds. */
const REPLAY_MS = 6_000;

/** Delivers all messages once more. Returns the changes of objects that this causes. */
async function replay(fleet: Fleet): Promise<Violation[]> {
  const begin = fleet.time.elapsedMs;
  const { rows: copies } = await fleet.pool.query<Copy>(COPIES);
  const last = new Map<string, string>();
  for (const { account, cluster, resource, rows } of copies) {
    for (const [key, state] of Object.entries(rows)) {
      last.set(JSON.stringify([account, cluster, resource, key]), state);
    }
  }
  await fleet.replay();
  await fleet.time.runUntil(begin + REPLAY_MS);
  const history = await readHistory(fleet.pool, START);
  return history.flatMap((event) => {
    if (event.type !== "row" || event.at < begin) {
      return [];
    }
    const { at, account, cluster, resource, key, row, state } = event;
    const name = JSON.stringify([account, cluster, resource, key]);
    // The rule writes an equal row again, and a tombstone may come back.
    const now = row === undefined || row === "absent" ? undefined : state;
    if (last.get(name) === now) {
      return [];
    }
    const message = `${resource} ${key}: a message that was delivered again changed "${last.get(name)}" to "${now}"`;
    return [{ invariant: "idempotence", at, cluster: `${account}/${cluster}`, resource, key, message }];
  });
}

function kill(fleet: Fleet): void {
  const agents = fleet.clusters.flatMap(({ agents }) => agents);
  for (const host of [...fleet.backends, ...fleet.ingesters, ...agents]) {
    const { process } = host;
    host.remove();
    process?.kill();
  }
}
