import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { TOPICS } from "../../src/event/topics.ts";
import { createDatabase } from "../../src/store/postgres/database.ts";
import { quantile } from "../support/statistics.ts";
import { createBatch, openSpeaker, openTenant } from "../support/tenant-bus.ts";
import { until } from "../support/until.ts";
import type { World } from "../support/world.ts";

const FLOOD_BATCHES = 400;
const FLOOD_OBJECTS = 100;
const CONTENT_BYTES = 3_500;
const LIVE_CHANGES = 100;
const EVERY_MS = 50;

/**
 * Measures the time from the publish of one account's change to the commit of its row while another account's backlog
 * drains, compared to the time without the backlog. Worst case: one partition and one ingester for both.
 */
export async function flood(world: World): Promise<void> {
  const quiet = await measure(world, 0);
  const flooded = await measure(world, FLOOD_BATCHES);
  for (const [name, latencies] of [
    ["alone", quiet],
    [
      `while ${(FLOOD_BATCHES * FLOOD_OBJECTS).toLocaleString("en")} objects of another account wait`,
      flooded,
    ],
  ] as const) {
    const format = (share: number): string => `${quantile(latencies, share).toFixed(0)} ms`;
    console.log(`  ${name}: p50 ${format(0.5)}, p99 ${format(0.99)}, max ${format(1)}`);
  }
  console.log(`  ratio of p50: ${(quantile(flooded, 0.5) / quantile(quiet, 0.5)).toFixed(1)}`);
}

async function measure(world: World, batches: number): Promise<number[]> {
  const { signal } = new AbortController();
  const tenant = await world.createTenant(1);
  const databaseUrl = await world.createDatabase();
  await using database = createDatabase({ url: databaseUrl });
  const bus = await openTenant(tenant);
  const producer = await bus.createProducer(signal, TOPICS.events);
  const floodSays = await openSpeaker(signal, database, bus, producer, { account: "flood", cluster: "c" });
  const liveSays = await openSpeaker(signal, database, bus, producer, { account: "live", cluster: "c" });
  for (let batch = 0; batch < batches; batch += 1) {
    await floodSays(createBatch((batch % 20) * FLOOD_OBJECTS, FLOOD_OBJECTS, CONTENT_BYTES, batch + 1));
  }
  const written = new Map<string, number>();
  const listener = new pg.Client({ connectionString: databaseUrl });
  listener.on("notification", ({ payload = "" }) => written.set(payload, performance.now()));
  await listener.connect();
  await listener.query(NOTIFY_OF_LIVE);
  const ingester = world.startIngester(databaseUrl, tenant);
  const isIngesting = async (): Promise<boolean> => {
    const { rows } = await database.pool.query(
      "SELECT 1 FROM agent_session WHERE applied_sequence > 0 LIMIT 1",
    );
    return rows.length > 0;
  };
  await until("the ingester", isIngesting, ingester);
  const published: number[] = [];
  for (let change = 1; change <= LIVE_CHANGES; change += 1) {
    published.push(performance.now());
    await liveSays(createBatch(0, 1, CONTENT_BYTES, change));
    await sleep(EVERY_MS);
  }
  await until("the last change", async () => written.has(String(LIVE_CHANGES)), ingester);
  await listener.end();
  await ingester.end("SIGTERM");
  await bus.close();
  return published.map((at, index) => (written.get(String(index + 1)) ?? Number.NaN) - at);
}

const NOTIFY_OF_LIVE = `
CREATE FUNCTION bench_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('bench', NEW.resource_version);
  RETURN NULL;
END $$;
CREATE TRIGGER bench_notify AFTER INSERT OR UPDATE ON kubernetes_object
FOR EACH ROW WHEN (NEW.account = 'live') EXECUTE FUNCTION bench_notify();
LISTEN bench`;
