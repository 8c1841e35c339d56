import type { Bus } from "../../src/bus/bus.ts";
import { TOPICS } from "../../src/event/topics.ts";
import { createDatabase } from "../../src/store/postgres/database.ts";
import { queryRows } from "../support/query-rows.ts";
import { createBatch, openSpeaker, openTenant } from "../support/tenant-bus.ts";
import { until } from "../support/until.ts";
import type { World } from "../support/world.ts";

const CLUSTERS = 20;
const BATCHES = 10;
const OBJECTS = 100;
const CONTENT_BYTES = 3_500;

/** Measures the rate at which 1, 2 and 4 ingesters drain a backlog into Postgres, from the first row to the last. */
export async function ingestRate(world: World): Promise<void> {
  let single = 0;
  for (const ingesters of [1, 2, 4]) {
    const rate = await measure(world, ingesters);
    single ||= rate;
    console.log(
      `  ${ingesters} ingester${ingesters === 1 ? " " : "s"}: ${Math.round(rate).toLocaleString("en")} objects/s, ${(rate / single).toFixed(2)} times one`,
    );
  }
}

async function measure(world: World, ingesters: number): Promise<number> {
  const tenant = await world.createTenant();
  const databaseUrl = await world.createDatabase();
  await publishBacklog(databaseUrl, await openTenant(tenant));
  const programs = Array.from({ length: ingesters }, () => world.startIngester(databaseUrl, tenant));
  const total = CLUSTERS * BATCHES * OBJECTS;
  const [first] = programs;
  if (first === undefined) {
    throw new Error("no ingester");
  }
  await until(
    "the backlog to drain",
    async () => {
      const [row] = await queryRows<{ count: number }>(
        databaseUrl,
        "SELECT count(*)::int FROM kubernetes_object",
      );
      return row?.count === total;
    },
    first,
  );
  // From the first commit, to exclude the start of the processes.
  const [took] = await queryRows<{ ms: number }>(
    databaseUrl,
    "SELECT extract(epoch FROM max(updated_at) - min(updated_at))::float * 1000 AS ms FROM kubernetes_object",
  );
  await Promise.all(programs.map((program) => program.end("SIGTERM")));
  return (total * 1000) / (took?.ms ?? Number.NaN);
}

async function publishBacklog(databaseUrl: string, bus: Bus): Promise<void> {
  const { signal } = new AbortController();
  await using database = createDatabase({ url: databaseUrl });
  const producer = await bus.createProducer(signal, TOPICS.events);
  for (let index = 0; index < CLUSTERS; index += 1) {
    const say = await openSpeaker(signal, database, bus, producer, {
      account: "bench",
      cluster: `c${index}`,
    });
    for (let batch = 0; batch < BATCHES; batch += 1) {
      await say(createBatch(batch * OBJECTS, OBJECTS, CONTENT_BYTES, batch + 1));
    }
  }
  await bus.close();
}
