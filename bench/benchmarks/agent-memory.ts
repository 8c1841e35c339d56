import { setTimeout as sleep } from "node:timers/promises";
import { type ProcessMemory, readProcessMemory } from "../support/process-memory.ts";
import { waitForRun } from "../support/runs.ts";
import type { World } from "../support/world.ts";

const OBJECTS = 100_000;
const CONTENT_BYTES = 1_000;
/** Time for an idle agent to release its memory. */
const SETTLE_MS = 15_000;

/** Measures the agent's resident memory with many small pods, above that of an agent of an empty cluster. */
export async function agentMemory(world: World): Promise<void> {
  const idle = await measure(world, 0);
  const full = await measure(world, OBJECTS);
  console.log(`  idle agent:           ${format(idle.residentBytes)}, peak ${format(idle.peakBytes)}`);
  console.log(
    `  with ${OBJECTS.toLocaleString("en")} objects: ${format(full.residentBytes)}, peak ${format(full.peakBytes)}`,
  );
  const [above, peakAbove] = [full.residentBytes - idle.residentBytes, full.peakBytes - idle.residentBytes];
  console.log(`  above idle:           ${format(above)}, at the peak ${format(peakAbove)}`);
}

async function measure(world: World, objects: number): Promise<ProcessMemory> {
  await using api = await world.startApi();
  await api.fill(objects, CONTENT_BYTES);
  const databaseUrl = await world.createDatabase();
  const server = await world.startServer(databaseUrl);
  const agent = world.startAgent(server.url, api.url);
  await waitForRun(databaseUrl, 1, agent);
  await sleep(SETTLE_MS);
  const memory = readProcessMemory(agent.pid);
  await agent.end("SIGTERM");
  await server.stop();
  return memory;
}

function format(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
