import { setTimeout as sleep } from "node:timers/promises";
import { sendDigits } from "../../support/isolation/digits.ts";
import type { Finding, IsolationCase } from "../../support/isolation/isolation-case.ts";
import { measureLoad } from "../../support/isolation/measure-load.ts";
import { countObjects, startAgent } from "../../support/isolation/start-agent.ts";
import { startTarget } from "../../support/isolation/target.ts";
import { readProcessMemory } from "../../support/process-memory.ts";
import type { World } from "../../support/world.ts";

const MIB = 1024 * 1024;
const LARGE_MAPS = 300;
const LARGE_BYTES = 950 * 1024;
const MAX_AGENT_BYTES = 512 * MIB;
const MAX_ROWS_MS = 1_000;
const FORBIDDEN_TYPES = 48;
const LOG_MS = 20_000;

/** Objects and refusals of an API server. */
export const agentCases: readonly IsolationCase[] = [
  {
    row: 17,
    attack: `${LARGE_MAPS} ConfigMaps of 950 KiB (simulated API server)`,
    bound: "peak of the agent <= 512 MiB; all rows",
    run: readLargeObjects,
  },
  {
    row: 21,
    attack: `${FORBIDDEN_TYPES} unreadable types for ${LOG_MS / 1_000} s, a run every 5 s (simulated API server)`,
    bound: "<= one line per type",
    run: countLogLines,
  },
  {
    row: 23,
    attack: "ConfigMaps of 250,000 and 1,000,000 digits; GetObject of both (simulated API server)",
    bound: "both rows within a second; G",
    run: readDigits,
  },
];

async function readLargeObjects(world: World): Promise<Finding> {
  await using target = await startTarget(world);
  await using api = await world.startApi();
  const names = Array.from({ length: LARGE_MAPS }, (_, index) => `large-${index}`);
  await api.createConfigMaps(names, "x".repeat(LARGE_BYTES));
  const start = performance.now();
  const agent = await startAgent(target, api.url, "configmaps");
  const seconds = (performance.now() - start) / 1_000;
  const rows = await countObjects(target, "configmaps");
  const { peakBytes } = readProcessMemory(agent.pid);
  const detail = `${rows} rows, verified in ${seconds.toFixed(0)} s; peak ${(peakBytes / MIB).toFixed(0)} MiB`;
  return { detail, holds: rows === LARGE_MAPS && peakBytes <= MAX_AGENT_BYTES };
}

async function countLogLines(world: World): Promise<Finding> {
  await using target = await startTarget(world, { flags: ["--reconcile-interval", "5s"] });
  await using api = await world.startApi();
  await api.define(FORBIDDEN_TYPES, true);
  const agent = await startAgent(target, api.url, "*");
  await sleep(LOG_MS);
  const output = agent.stdout() + agent.stderr();
  const lines = output.split("\n").filter((line) => line.includes("things"));
  const detail = `${lines.length} lines of these types, ${output.length.toLocaleString("en")} bytes in all`;
  return { detail, holds: lines.length <= FORBIDDEN_TYPES };
}

async function readDigits(world: World): Promise<Finding> {
  await using target = await startTarget(world);
  await using api = await world.startApi();
  const agent = await startAgent(target, api.url, "configmaps");
  const { load, value } = await measureLoad(target, () => sendDigits(target, api, agent, 1));
  const detail = `rows after ${value.rowsMs.toFixed(0)} ms, both read in ${value.readMs.toFixed(0)} ms`;
  return { load, detail, holds: value.rowsMs <= MAX_ROWS_MS && value.readMs <= MAX_ROWS_MS };
}
