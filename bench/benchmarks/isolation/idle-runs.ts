import { setTimeout as sleep } from "node:timers/promises";
import { FleetService } from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { callFleet } from "../../../test/support/e2e/fleet-api.ts";
import type { Program } from "../../../test/support/e2e/programs.ts";
import { CLUSTER } from "../../support/create-kubeconfig.ts";
import type { Finding, IsolationCase } from "../../support/isolation/isolation-case.ts";
import { queryRows } from "../../support/query-rows.ts";
import { waitForRun } from "../../support/runs.ts";
import { until } from "../../support/until.ts";
import type { World } from "../../support/world.ts";

const TYPES = 91;
/** Resource types of the simulated API server that an agent reads by default. */
const BUILT_IN = 11;
const FEW = 100;
const MANY = 2_000;
const CONTENT_BYTES = 1_000;
/** Transactions that differ between two equal runs: sessions and readiness are kept by the clock. */
const TOLERANCE = 10;

/** Runs that find nothing. */
export const idleRunCases: readonly IsolationCase[] = [
  {
    row: 14,
    attack: `run without differences, ${TYPES} types, ${FEW} and ${MANY.toLocaleString("en")} objects (simulated API server)`,
    bound: `writing transactions <= a third of the types, and equal to within ${TOLERANCE}`,
    run: measureIdleRuns,
  },
];

async function measureIdleRuns(world: World): Promise<Finding> {
  await using api = await world.startApi();
  await api.define(TYPES - BUILT_IN, false);
  await api.fill(FEW, CONTENT_BYTES);
  const databaseUrl = await world.createDatabase();
  const server = await world.startServer(databaseUrl);
  const agent = world.startAgent(server.url, api.url, "*");
  await waitForRun(databaseUrl, 1, agent);
  const few = await measureRun(databaseUrl, server.url, 2, agent);
  await api.fill(MANY, CONTENT_BYTES, FEW);
  await until("the rows", async () => (await countPods(databaseUrl)) === FEW + MANY, agent);
  const many = await measureRun(databaseUrl, server.url, 3, agent);
  await agent.end("SIGTERM");
  await server.stop();
  const format = ({ transactions, seconds }: RunCost): string => `${transactions} (${seconds.toFixed(1)} s)`;
  return {
    detail: `${format(few)} and ${format(many)} writing transactions`,
    holds: many.transactions <= TYPES / 3 && Math.abs(many.transactions - few.transactions) <= TOLERANCE,
  };
}

interface RunCost {
  readonly transactions: number;
  readonly seconds: number;
}

/** Requests a run and counts the transactions that write, by their IDs, which only they take. */
async function measureRun(
  databaseUrl: string,
  serverUrl: string,
  count: number,
  agent: Program,
): Promise<RunCost> {
  // What the last writes left to be done, such as the correction of counts.
  await sleep(1_000);
  const before = await nextTransaction(databaseUrl);
  await callFleet(serverUrl, FleetService.method.startReconciliation, { cluster: CLUSTER });
  const { durationMs } = await waitForRun(databaseUrl, count, agent);
  const after = await nextTransaction(databaseUrl);
  return { transactions: after - before, seconds: durationMs / 1_000 };
}

async function nextTransaction(databaseUrl: string): Promise<number> {
  const [row] = await queryRows<{ next: string }>(
    databaseUrl,
    "SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS next",
  );
  return Number(row?.next);
}

async function countPods(databaseUrl: string): Promise<number> {
  const [row] = await queryRows<{ count: number }>(
    databaseUrl,
    "SELECT count(*)::int FROM kubernetes_object WHERE resource = 'pods' AND state = 'present'",
  );
  return row?.count ?? 0;
}
