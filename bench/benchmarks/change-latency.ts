import pg from "pg";
import { waitForRun } from "../support/runs.ts";
import { quantile } from "../support/statistics.ts";
import type { World } from "../support/world.ts";

const OBJECTS = 1_000;
const CONTENT_BYTES = 3_500;
const CHANGES = 500;
const EVERY_MS = 20;

/**
 * Measures the time from a change in the API to the commit of its row. A trigger of the database reports it by NOTIFY.
 */
export async function changeLatency(world: World): Promise<void> {
  const memory = await measure(world, world.startServer);
  const broker = await measure(world, world.startBrokered);
  console.log(`  ${CHANGES} changes, one every ${EVERY_MS} ms`);
  for (const [bus, latencies] of [
    ["memory", memory],
    ["broker", broker],
  ] as const) {
    const format = (share: number): string => `${quantile(latencies, share).toFixed(1)} ms`;
    console.log(`  over the ${bus} bus: p50 ${format(0.5)}, p99 ${format(0.99)}, max ${format(1)}`);
  }
  console.log(`  ratio of p50: ${(quantile(broker, 0.5) / quantile(memory, 0.5)).toFixed(1)}`);
}

async function measure(world: World, start: World["startServer"]): Promise<number[]> {
  await using api = await world.startApi();
  await api.fill(OBJECTS, CONTENT_BYTES);
  const databaseUrl = await world.createDatabase();
  const server = await start(databaseUrl);
  const agent = world.startAgent(server.url, api.url);
  await waitForRun(databaseUrl, 1, agent);
  const seen = new Map<string, bigint>();
  const all = Promise.withResolvers<void>();
  const client = new pg.Client({ connectionString: databaseUrl });
  client.on("notification", ({ payload = "" }) => {
    seen.set(payload, process.hrtime.bigint());
    if (seen.size === CHANGES) {
      all.resolve();
    }
  });
  await client.connect();
  await client.query(NOTIFY_OF_ROWS);
  const latencies: number[] = [];
  const changes = [];
  for await (const change of api.change(CHANGES, EVERY_MS)) {
    changes.push(change);
  }
  await all.promise;
  for (const { version, at } of changes) {
    latencies.push(Number((seen.get(version) ?? 0n) - BigInt(at)) / 1e6);
  }
  await client.end();
  await agent.end("SIGTERM");
  await server.stop();
  return latencies;
}

const NOTIFY_OF_ROWS = `
CREATE FUNCTION bench_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('bench', NEW.resource_version);
  RETURN NULL;
END $$;
CREATE TRIGGER bench_notify AFTER INSERT OR UPDATE ON kubernetes_object FOR EACH ROW EXECUTE FUNCTION bench_notify();
LISTEN bench`;
