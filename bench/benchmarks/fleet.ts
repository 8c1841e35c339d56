import { loadavg } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { findPostmaster } from "../support/find-postmaster.ts";
import { compareRows, formatDifferences, isEqual } from "../support/fleet/compare-rows.ts";
import { startFleet } from "../support/fleet/start-fleet.ts";
import { type Figure, printFigures } from "../support/print-figures.ts";
import { type PartUsage, startUsageMeter } from "../support/process-usage.ts";
import { quantile } from "../support/statistics.ts";
import type { RunningServer, World } from "../support/world.ts";

const CLUSTERS = 50;
const OBJECTS = 2_000;
const CONTENT_BYTES = 1_000;
const SECONDS = 40;
const BACKENDS = 2;
const INGESTERS = 2;
const AGENT_PROCESSES = 2;
const RECONCILE_INTERVAL = "1m";
/** Account of a backend without authentication. */
const ACCOUNT = "default";
const MAX_P99_MS = 1_000;
const MAX_VERIFIED_SECONDS = 120;
/** A rate below this share of the wanted one does not count as measured. */
const MIN_RATE_SHARE = 0.95;
/** Time after which a part that has not ended counts as failed. */
const GIVE_UP_MS = 4 * 60_000;
const POLL_MS = 250;
const MIB = 1024 * 1024;

/**
 * Measures a fleet through Pulsar: the first copy, the time from a change to its row while all clusters change, and the
 * time until each cluster is verified again after all backends restarted one after the other, with changes all the
 * time. At the end all rows are compared with the API servers. The exit code is 1 if a bound does not hold.
 */
export async function fleet(world: World, changesPerSecond: number): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const databaseUrl = await world.createDatabase();
  const tenant = await world.createTenant();
  const backends: RunningServer[] = [];
  const startBackend = (port?: number): Promise<RunningServer> =>
    world.startBackend(databaseUrl, tenant, {
      reconcileInterval: RECONCILE_INTERVAL,
      ...(port !== undefined && { port }),
    });
  for (let index = 0; index < BACKENDS; index += 1) {
    backends.push(await startBackend());
  }
  stack.defer(async () => void (await Promise.all(backends.map((backend) => backend.stop()))));
  const ingesters = Array.from({ length: INGESTERS }, () => world.startIngester(databaseUrl, tenant));
  stack.defer(async () => void (await Promise.all(ingesters.map((ingester) => ingester.end("SIGTERM")))));
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  stack.defer(() => client.end());
  const simulated = stack.use(await startFleet(world, databaseUrl, AGENT_PROCESSES));
  const postmaster = await findPostmaster(databaseUrl);
  const meter = stack.use(
    startUsageMeter([
      { name: "API servers", pids: () => [simulated.apiPid] },
      { name: "agents", pids: () => simulated.agentPids },
      { name: "backends", pids: () => backends.map(({ program }) => program.pid) },
      { name: "ingesters", pids: () => ingesters.map(({ pid }) => pid) },
      { name: "broker", pids: () => [tenant.brokerPid] },
      { name: "Postgres", pids: () => (postmaster === undefined ? [] : [postmaster]) },
    ]),
  );

  const names = Array.from({ length: CLUSTERS }, (_, index) => `cluster-${String(index).padStart(2, "0")}`);
  await simulated.create(
    names.map((cluster) => ({ account: ACCOUNT, cluster })),
    OBJECTS,
    CONTENT_BYTES,
  );
  meter.endPhase("filling");
  const copySeconds = await secondsOf(async () => {
    await simulated.startAgents(backends.map(({ url }) => url));
    if (!(await isVerified(client, new Date(0)))) {
      throw new Error("fleet: the first copy was not verified in time");
    }
  });
  print(`first copy: ${copySeconds.toFixed(0)} s`);
  meter.endPhase("first copy");

  simulated.startChanges(1_000 / changesPerSecond);
  await sleep(SECONDS * 1_000);
  const { latencies: steady, waiting: late } = await simulated.takeSamples();
  meter.endPhase("changes");
  print(`changes: p99 ${quantile(steady, 0.99).toFixed(0)} ms, ${late} samples wait`);
  const { restartSeconds, verifiedSeconds } = await restartAll(client, backends, startBackend);
  const { latencies: during, waiting: stillLate } = await simulated.takeSamples();
  meter.endPhase("restart");
  print(`restart: verified after ${verifiedSeconds.toFixed(0)} s, ${stillLate} samples wait`);
  const rate = await simulated.stopChanges();
  const compare = async () => await compareRows(databaseUrl, ACCOUNT, await simulated.list());
  await simulated.settle(async () => isEqual(await compare()));
  const differences = await compare();
  const { waiting } = await simulated.takeSamples();
  meter.endPhase("end");

  const p99 = quantile(steady, 0.99);
  const ms = (name: string, values: readonly number[]): Figure[] => [
    { name: `${name}, p50`, value: quantile(values, 0.5), unit: "ms" },
    { name: `${name}, max`, value: quantile(values, 1), unit: "ms" },
  ];
  printFigures("fleet", [
    { name: `first copy of ${CLUSTERS} clusters`, value: copySeconds, unit: "s" },
    { name: "first copy", value: (CLUSTERS * OBJECTS) / copySeconds, unit: "objects/s" },
    {
      name: "changes",
      value: rate,
      unit: "/s",
      bound: {
        text: `>= ${MIN_RATE_SHARE * changesPerSecond}`,
        holds: rate >= MIN_RATE_SHARE * changesPerSecond,
      },
    },
    ...ms(`change to row, ${SECONDS} s, ${steady.length} samples`, steady),
    {
      name: "change to row, p99",
      value: p99,
      unit: "ms",
      bound: { text: `<= ${MAX_P99_MS} ms`, holds: p99 <= MAX_P99_MS },
    },
    ...ms(`change to row while the backends restart, ${during.length} samples`, during),
    { name: "change to row while the backends restart, p99", value: quantile(during, 0.99), unit: "ms" },
    { name: `restart of ${BACKENDS} backends, one after the other`, value: restartSeconds, unit: "s" },
    {
      name: "every resource type verified as of after the restart",
      value: verifiedSeconds,
      unit: "s",
      bound: { text: `<= ${MAX_VERIFIED_SECONDS} s`, holds: verifiedSeconds <= MAX_VERIFIED_SECONDS },
    },
    {
      name: "rows compared with the API servers",
      value: formatDifferences(differences),
      bound: { text: "no difference", holds: isEqual(differences) },
    },
    {
      name: "sampled changes without a row",
      value: waiting,
      bound: { text: "0", holds: waiting === 0 },
    },
    ...simulated.failures().map((value) => ({
      name: "agent",
      value,
      bound: { text: "runs", holds: false },
    })),
    ...toFigures(meter.usage()),
  ]);
}

/** Stops and starts the backends one after the other, and waits until everything is verified as of a later time. */
async function restartAll(
  client: pg.Client,
  backends: RunningServer[],
  start: (port: number) => Promise<RunningServer>,
): Promise<{ readonly restartSeconds: number; readonly verifiedSeconds: number }> {
  const started = performance.now();
  for (const [at, backend] of backends.entries()) {
    await backend.stop();
    backends[at] = await start(Number(new URL(backend.url).port));
  }
  const restartSeconds = (performance.now() - started) / 1_000;
  const { rows } = await client.query<{ now: Date }>("SELECT now()");
  const isDone = await isVerified(client, rows[0]?.now ?? new Date());
  const seconds = (performance.now() - started) / 1_000;
  return { restartSeconds, verifiedSeconds: isDone ? seconds : Number.POSITIVE_INFINITY };
}

/**
 * Waits until each resource type of each cluster has been verified as of a later time. Returns false if it gives up.
 */
async function isVerified(client: pg.Client, since: Date): Promise<boolean> {
  const deadline = performance.now() + GIVE_UP_MS;
  for (;;) {
    const { rows } = await client.query<{ clusters: number; late: number }>(COUNT_LATE, [since]);
    const [{ clusters, late } = { clusters: 0, late: 0 }] = rows;
    if (clusters === CLUSTERS && late === 0) {
      return true;
    }
    if (performance.now() > deadline) {
      console.log(`  not verified: ${late} resource types of ${clusters} clusters`);
      return false;
    }
    await sleep(POLL_MS);
  }
}

/** Prints the progress, with the load of the machine. */
function print(progress: string): void {
  console.log(`  ${progress}; load average ${loadavg()[0]?.toFixed(1)}`);
}

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1_000;
}

function toFigures(usage: readonly PartUsage[]): Figure[] {
  return usage.flatMap(({ name, cpuSeconds, peakBytes }) => [
    {
      name: `${name}: CPU of ${Object.keys(cpuSeconds).join(", ")}`,
      value: Object.values(cpuSeconds)
        .map((seconds) => seconds.toFixed(1))
        .join(", "),
      unit: "s",
    },
    { name: `${name}: peak of memory`, value: peakBytes / MIB, unit: "MiB" },
  ]);
}

const COUNT_LATE = `
SELECT count(DISTINCT cluster)::int AS clusters,
  (count(*) FILTER (WHERE verified_at IS NULL OR verified_at <= $1))::int AS late
FROM resource_state`;
