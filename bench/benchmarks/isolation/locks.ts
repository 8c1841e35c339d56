import { setTimeout as sleep } from "node:timers/promises";
import type { Finding, IsolationCase } from "../../support/isolation/isolation-case.ts";
import {
  changeObject,
  lockCluster,
  openAgent,
  WAITING_AGENTS,
} from "../../support/isolation/lock-cluster.ts";
import { measureLoad } from "../../support/isolation/measure-load.ts";
import { startTarget, type Target } from "../../support/isolation/target.ts";
import { queryRows } from "../../support/query-rows.ts";
import { until } from "../../support/until.ts";
import type { World } from "../../support/world.ts";

const MAX_OTHER_MS = 3_000;
const LOCKED_MS = 15_000;
/** Runs that the scheduler begins for another cluster, due every second, while the lock is held. */
const MIN_RUNS = 12;
const MAX_STOP_MS = 7_000;

/** One locked row of one cluster. */
export const lockCases: readonly IsolationCase[] = [
  {
    row: 9,
    attack: `row lock on a cluster for ${LOCKED_MS / 1_000} s, ${WAITING_AGENTS} agents that connect to it`,
    bound: `others open and change in <= 3 s; >= ${MIN_RUNS} runs begin; waiting_clusters = 1`,
    run: holdLock,
  },
  {
    row: 10,
    attack: "SIGTERM while a row of a cluster is locked",
    bound: "5 s + lock timeout of 2 s",
    run: stopUnderLock,
  },
];

async function holdLock(world: World): Promise<Finding> {
  await using target = await startTarget(world, {
    flags: ["--reconcile-interval", "1s", "--run-deadline", "1s"],
  });
  await using locked = await lockCluster(target);
  const { load, value } = await measureLoad(target, async () => {
    await using _waiting = locked.changeAndConnect();
    const openedMs = await timeOf(async () => {
      await using other = await openAgent(target, "other");
      await changeObject(other, 1);
    });
    await sleep(LOCKED_MS);
    const [runs] = await queryRows<{ count: number }>(target.databaseUrl, COUNT_RUNS);
    return { openedMs, runs: runs?.count ?? 0, waiting: await readWaitingClusters(target) };
  });
  const { openedMs, runs, waiting } = value;
  const detail =
    `another cluster opened and changed in ${openedMs.toFixed(0)} ms, ` +
    `${runs} runs of the other account in ${LOCKED_MS / 1_000} s, waiting_clusters ${waiting}`;
  const isIsolated = openedMs <= MAX_OTHER_MS && load.changeMs <= MAX_OTHER_MS;
  return { load, detail, holds: isIsolated && runs >= MIN_RUNS && waiting === 1 };
}

async function stopUnderLock(world: World): Promise<Finding> {
  await using target = await startTarget(world);
  await using locked = await lockCluster(target);
  await using _waiting = locked.changeAndConnect();
  // It does not react to Drain, as agents do.
  await target.stopProbing();
  await until("the lock", async () => (await countLockWaits(target)) > 0, target.program);
  const stopMs = await timeOf(() => target.program.end("SIGTERM"));
  const { code, signal } = await target.program.ended;
  const detail = `ended after ${(stopMs / 1_000).toFixed(1)} s, ${signal ?? `exit code ${code}`}`;
  return { detail, holds: stopMs <= MAX_STOP_MS && code === 0 };
}

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

async function readWaitingClusters({ probeUrl }: Target): Promise<number> {
  const text = await (await fetch(`${probeUrl}/metrics`)).text();
  return Number(/^evenkeel_ingester_waiting_clusters(?:\{[^}]*\})? (\d+)/m.exec(text)?.[1]);
}

async function countLockWaits({ databaseUrl }: Target): Promise<number> {
  const [row] = await queryRows<{ count: number }>(databaseUrl, COUNT_WAITS);
  return row?.count ?? 0;
}

const COUNT_RUNS = `
SELECT count(*)::int FROM reconciliation_run
WHERE account = 'neighbour' AND started_at > now() - interval '${LOCKED_MS / 1_000} s'`;

const COUNT_WAITS = `
SELECT count(*)::int FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'`;
