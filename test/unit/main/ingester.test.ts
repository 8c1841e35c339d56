import { expect, it } from "vitest";
import type { Bus } from "../../../src/bus/bus.ts";
import { createMemoryBus } from "../../../src/bus/memory/memory-bus.ts";
import { createSeededRandom } from "../../../src/lib/random.ts";
import { noMetrics, noTracer } from "../../../src/lib/telemetry.ts";
import { RestartTrigger, superviseIngester } from "../../../src/main/ingester.ts";
import type { Database } from "../../../src/store/postgres/database.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { createTestLog } from "../../support/vitest/test-log.ts";

it("an ingester leaves the bus and joins it again on each request, until it is stopped", async () => {
  const clock = new ManualClock();
  const log = createTestLog();
  const memory = createMemoryBus({ maxMessageBytes: 1_000 });
  const joined: string[] = [];
  const bus: Bus = {
    ...memory,
    async subscribe(signal, options) {
      const consumer = await memory.subscribe(signal, options);
      joined.push("joined");
      const close = async (): Promise<void> => {
        joined.push("left");
        await consumer.close();
      };
      return { deliveries: (reading) => consumer.deliveries(reading), close };
    },
  };
  const runtime = { clock, random: createSeededRandom(1), log, metrics: noMetrics, tracer: noTracer };
  const restart = new RestartTrigger();
  const stop = new AbortController();
  const ended = superviseIngester(stop.signal, { bus, database: {} as Database, runtime, restart });
  for (const times of [1, 2]) {
    await clock.advance(1_000);
    expect(joined).toHaveLength(2 * times - 1);
    restart.request("events are held back");
  }
  await clock.advance(1_000);
  expect(joined).toEqual(["joined", "left", "joined", "left", "joined"]);
  expect(log.lines).toEqual(["warn ingester failed; restarting: events are held back"]);
  stop.abort();
  await ended;
  expect(joined.at(-1)).toBe("left");
  expect(clock.pending).toBe(0);
});
