import { once } from "node:events";
import { Agent, get } from "node:http";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import { ScriptedAgent } from "../../../test/support/backend/scripted-agent.ts";
import type { Finding, IsolationCase } from "../../support/isolation/isolation-case.ts";
import { measureIdle, measureLoad } from "../../support/isolation/measure-load.ts";
import { ATTACKER, startTarget, type Target } from "../../support/isolation/target.ts";
import { queryRows } from "../../support/query-rows.ts";
import type { World } from "../../support/world.ts";

const PER_KIND = 300;
/** The limits are 10 s, and the server checks those of HTTP/1.1 every 2 s. */
const MAX_IDLE_SECONDS = 13;
/** After which the case gives up. */
const WAIT_MS = 30_000;
const DRIP_MS = 1_000;
const FLOOD_MS = 8_000;
const FLOOD_REQUESTS = 27_000;
const PROBE_CLIENTS = 50;
const SESSION_CLIENTS = 50;
const CHURN_MS = 5_000;
/** Burst of an account, and its rate, in these five seconds. */
const MAX_SESSIONS = 200 + 50 * (CHURN_MS / 1_000) + 50;

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS = "\0\0\0\u0004\0\0\0\0\0";
const METHOD = "/evenkeel.v1.FleetService/ListClusters";

/** Connections and requests that anybody can open, and sessions of one account. */
export const connectionCases: readonly IsolationCase[] = [
  {
    row: 5,
    attack: `${(PER_KIND * 7).toLocaleString("en")} idle or dripping connections of 7 kinds`,
    bound: `all ended after 10 s (here <= ${MAX_IDLE_SECONDS}); G`,
    run: holdConnections,
  },
  {
    row: 7,
    attack: `${FLOOD_REQUESTS.toLocaleString("en")} requests of /readyz in 8 s`,
    bound: "p50 <= twice the idle one; G",
    run: floodReadiness,
  },
  {
    row: 7,
    attack: `${SESSION_CLIENTS} clients that open sessions of invented clusters for 5 s`,
    bound: `<= ${MAX_SESSIONS} clusters, others refused by a limit; p50 <= twice the idle one; G`,
    run: churnSessions,
  },
];

async function holdConnections(world: World): Promise<Finding> {
  await using target = await startTarget(world);
  const post = `POST ${METHOD} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n`;
  const token = `Authorization: Bearer ${target.token}\r\n`;
  const kinds: readonly { readonly bytes: string; readonly drips?: boolean }[] = [
    { bytes: "" },
    { bytes: PREFACE },
    { bytes: PREFACE + SETTINGS },
    { bytes: `${PREFACE}${SETTINGS}\0\0\u0040\u0001\u0004\0\0\0\u0001\u0082` },
    { bytes: `GET ${METHOD} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow:`, drips: true },
    { bytes: `${post}\r\n{`, drips: true },
    { bytes: `${post}${token}\r\n{`, drips: true },
  ];
  const { load, value: open } = await measureLoad(target, async () => {
    const sockets = new Set<Socket>();
    for (const { bytes, drips = false } of kinds) {
      for (let index = 0; index < PER_KIND; index += 1) {
        sockets.add(holdConnection(target.port, bytes, drips));
      }
      await sleep(0);
    }
    const deadline = performance.now() + WAIT_MS;
    while ([...sockets].some(({ closed }) => !closed) && performance.now() < deadline) {
      await sleep(20);
    }
    const left = [...sockets].filter(({ closed }) => !closed);
    for (const socket of left) {
      socket.destroy();
    }
    return left.length;
  });
  const detail = `${open} open at the end`;
  return { load, detail, holds: open === 0 && load.seconds <= MAX_IDLE_SECONDS };
}

/** Sends the beginning of a request, and a byte each second if it drips. */
function holdConnection(port: number, bytes: string, drips: boolean): Socket {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {}).resume();
  socket.write(Buffer.from(bytes, "latin1"));
  if (drips) {
    const timer = setInterval(() => socket.write(" "), DRIP_MS);
    socket.once("close", () => clearInterval(timer));
  }
  return socket;
}

async function floodReadiness(world: World): Promise<Finding> {
  await using target = await startTarget(world);
  const idleMs = await measureIdle(target);
  const agent = new Agent({ keepAlive: true, maxSockets: PROBE_CLIENTS });
  const { load, value: count } = await measureLoad(target, async () => {
    let answered = 0;
    const everyMs = (FLOOD_MS * PROBE_CLIENTS) / FLOOD_REQUESTS;
    await repeatFor(FLOOD_MS, PROBE_CLIENTS, everyMs, async () => {
      const [response] = await once(get(`${target.probeUrl}/readyz`, { agent }), "response");
      response.resume();
      await once(response, "end");
      answered += 1;
    });
    return answered;
  });
  agent.destroy();
  const detail = `${count.toLocaleString("en")} requests; ${formatMedians(load.medianAnswerMs, idleMs)}`;
  return { load, detail, holds: load.medianAnswerMs <= 2 * idleMs };
}

async function churnSessions(world: World): Promise<Finding> {
  await using target = await startTarget(world);
  const idleMs = await measureIdle(target);
  const { load, value: count } = await measureLoad(target, () => openSessions(target));
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

async function openSessions(
  target: Target,
): Promise<{ readonly exhausted: number; readonly failed: number }> {
  let next = 0;
  const count = { exhausted: 0, failed: 0 };
  await repeatFor(CHURN_MS, SESSION_CLIENTS, 0, async () => {
    next += 1;
    const cluster = `invented-${next}`;
    const agent = new ScriptedAgent(target.url, target.token);
    try {
      await agent.open({ cluster });
    } catch (error) {
      const isRefused = ConnectError.from(error).code === Code.ResourceExhausted;
      count[isRefused ? "exhausted" : "failed"] += 1;
    } finally {
      await agent[Symbol.asyncDispose]();
    }
  });
  return count;
}

/** Repeats the work by several clients at a time, each at most once in `everyMs`. */
async function repeatFor(
  durationMs: number,
  clients: number,
  everyMs: number,
  work: () => Promise<void>,
): Promise<void> {
  const start = performance.now();
  const client = async (): Promise<void> => {
    for (let count = 0; performance.now() < start + durationMs; count += 1) {
      await work();
      const early = start + (count + 1) * everyMs - performance.now();
      if (early > 0) {
        await sleep(early);
      }
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
}

function formatMedians(underLoadMs: number, idleMs: number): string {
  return `p50 ${underLoadMs.toFixed(1)} ms (idle ${idleMs.toFixed(1)})`;
}
