import { HELD_CONNECTIONS, holdConnections } from "../../support/isolation/hold-connections.ts";
import type { Finding, IsolationCase } from "../../support/isolation/isolation-case.ts";
import { measureIdle, measureLoad } from "../../support/isolation/measure-load.ts";
import { floodReadiness, openSessions } from "../../support/isolation/repeat-requests.ts";
import { ATTACKER, startTarget } from "../../support/isolation/target.ts";
import { queryRows } from "../../support/query-rows.ts";
import type { World } from "../../support/world.ts";

/** The limits are 10 s, and the server checks those of HTTP/1.1 every 2 s. */
const MAX_IDLE_SECONDS = 13;
const FLOOD_MS = 8_000;
const FLOOD_REQUESTS = 27_000;
const SESSION_CLIENTS = 50;
const CHURN_MS = 5_000;
/** Burst of an account, and its rate, in these five seconds. */
const MAX_SESSIONS = 200 + 50 * (CHURN_MS / 1_000) + 50;

/** Connections and requests that anybody can open, and sessions of one account. */
export const connectionCases: readonly IsolationCase[] = [
  {
    row: 5,
    attack: `${HELD_CONNECTIONS.toLocaleString("en")} idle or dripping connections of 7 kinds`,
    bound: `all ended after 10 s (here <= ${MAX_IDLE_SECONDS}); G`,
    run: measureConnections,
  },
  {
    row: 7,
    attack: `${FLOOD_REQUESTS.toLocaleString("en")} requests of /readyz in 8 s`,
    bound: "p50 <= twice the idle one; G",
    run: measureReadiness,
  },
  {
    row: 7,
    attack: `${SESSION_CLIENTS} clients that open sessions of invented clusters for 5 s`,
    bound: `<= ${MAX_SESSIONS} clusters, others refused by a limit; p50 <= twice the idle one; G`,
    run: measureSessions,
  },
];

async function measureConnections(world: World): Promise<Finding> {
  await using target = await startTarget(world);
  const { load, value: open } = await measureLoad(target, () => holdConnections(target));
  return {
    load,
    detail: `${open} open at the end`,
    holds: open === 0 && load.seconds <= MAX_IDLE_SECONDS,
  };
}

async function measureReadiness(world: World): Promise<Finding> {
  await using target = await startTarget(world);
  const idleMs = await measureIdle(target);
  const { load, value: count } = await measureLoad(target, () =>
    floodReadiness(target, FLOOD_REQUESTS, FLOOD_MS),
  );
  const detail = `${count.toLocaleString("en")} requests; ${formatMedians(load.medianAnswerMs, idleMs)}`;
  return { load, detail, holds: load.medianAnswerMs <= 2 * idleMs };
}

async function measureSessions(world: World): Promise<Finding> {
  await using target = await startTarget(world);
  const idleMs = await measureIdle(target);
  const { load, value: count } = await measureLoad(target, () => openSessions(target, CHURN_MS));
  const clusters = await queryRows<{ count: number }>(
    target.databaseUrl,
    `SELECT count(*)::int FROM cluster WHERE account = '${ATTACKER}'`,
  );
  const stored = clusters[0]?.count ?? Number.NaN;
  const refused = `${count.exhausted.toLocaleString("en")} RESOURCE_EXHAUSTED, ${count.failed} other errors`;
  const detail = `${stored} clusters, ${refused}; ${formatMedians(load.medianAnswerMs, idleMs)}`;
  const isRefused = stored <= MAX_SESSIONS && count.exhausted > 0;
  return { load, detail, holds: isRefused && load.medianAnswerMs <= 2 * idleMs };
}

function formatMedians(underLoadMs: number, idleMs: number): string {
  return `p50 ${underLoadMs.toFixed(1)} ms (idle ${idleMs.toFixed(1)})`;
}
