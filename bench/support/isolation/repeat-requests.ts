import { once } from "node:events";
import { Agent, get } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import { ScriptedAgent } from "../../../test/support/backend/scripted-agent.ts";
import type { Target } from "./target.ts";

const CLIENTS = 50;

/** Sends so many requests of `/readyz` in this time, or as many as are answered. Returns the number of answers. */
export async function floodReadiness(target: Target, requests: number, durationMs: number): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
  let answered = 0;
  await repeatFor(durationMs, (durationMs * CLIENTS) / requests, async () => {
    const [response] = await once(get(`${target.probeUrl}/readyz`, { agent }), "response");
    response.resume();
    await once(response, "end");
    answered += 1;
  });
  agent.destroy();
  return answered;
}

/** Opens sessions of invented clusters in this time. Returns the number of those that were refused. */
export async function openSessions(
  target: Target,
  durationMs: number,
): Promise<{ readonly exhausted: number; readonly failed: number }> {
  let next = 0;
  const count = { exhausted: 0, failed: 0 };
  await repeatFor(durationMs, 0, async () => {
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

/** Repeats the work by {@link CLIENTS} at a time, each at most once in `everyMs`. */
async function repeatFor(durationMs: number, everyMs: number, work: () => Promise<void>): Promise<void> {
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
  await Promise.all(Array.from({ length: CLIENTS }, client));
}
