import { insertRaw } from "../support/insert-raw.ts";
import { queryRows } from "../support/query-rows.ts";
import { waitForRun } from "../support/runs.ts";
import { quantile } from "../support/statistics.ts";
import type { World } from "../support/world.ts";

const OBJECTS = 10_000;
const CONTENT_BYTES = 3_500;
const REPEATS = 3;

/**
 * Measures the first copy of a cluster, from the agent's session to the end of its first run, which has listed, sent,
 * written and verified every object. Compares it with the same rows written by `INSERT ... SELECT FROM unnest` alone.
 */
export async function initialSync(world: World): Promise<void> {
  await using api = await world.startApi();
  await api.fill(OBJECTS, CONTENT_BYTES);
  const raw: number[] = [];
  const synced: number[] = [];
  const brokered: number[] = [];
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    raw.push(await measureRaw(world));
    synced.push(await measureSync(world, api.url, world.startServer));
    brokered.push(await measureSync(world, api.url, world.startBrokered));
  }
  const [rawRate, syncRate, brokerRate] = [raw, synced, brokered].map((rates) => quantile(rates, 0.5)) as [
    number,
    number,
    number,
  ];
  console.log(
    `  raw insert, one connection: ${format(rawRate)} objects/s (of ${raw.map(format).join(", ")})`,
  );
  console.log(
    `  end to end, memory bus:     ${format(syncRate)} objects/s (of ${synced.map(format).join(", ")})`,
  );
  console.log(
    `  end to end, broker:         ${format(brokerRate)} objects/s (of ${brokered.map(format).join(", ")})`,
  );
  console.log(
    `  ratios: memory bus to raw ${(syncRate / rawRate).toFixed(2)}, broker to memory bus ${(brokerRate / syncRate).toFixed(2)}`,
  );
}

async function measureRaw(world: World): Promise<number> {
  const durationMs = await insertRaw(await world.createDatabase(), OBJECTS, CONTENT_BYTES);
  return (OBJECTS * 1000) / durationMs;
}

async function measureSync(world: World, apiUrl: string, start: World["startServer"]): Promise<number> {
  const databaseUrl = await world.createDatabase();
  const server = await start(databaseUrl);
  const agent = world.startAgent(server.url, apiUrl);
  const { durationMs } = await waitForRun(databaseUrl, 1, agent);
  const [row] = await queryRows<{ count: number }>(
    databaseUrl,
    "SELECT count(*)::int FROM kubernetes_object",
  );
  if (row?.count !== OBJECTS) {
    throw new Error(`initial sync: expected ${OBJECTS} rows, found ${row?.count}`);
  }
  await agent.end("SIGTERM");
  await server.stop();
  return (OBJECTS * 1000) / durationMs;
}

function format(rate: number): string {
  return Math.round(rate).toLocaleString("en");
}
