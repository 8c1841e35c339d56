import { describe, expect, it } from "vitest";
import type { Bus, Producer } from "../../../src/bus/bus.ts";
import { createProducerPool } from "../../../src/ingester/producer-pool.ts";

const { signal } = new AbortController();

/** A bus that counts its producers. */
function countingBus() {
  const log: string[] = [];
  let fail = false;
  const bus: Pick<Bus, "createProducer"> = {
    async createProducer(_signal, topic): Promise<Producer> {
      log.push(`open ${topic}`);
      if (fail) {
        throw new Error("bus unreachable");
      }
      return { publish: async () => {}, close: async () => void log.push(`close ${topic}`) };
    },
  };
  return {
    bus: bus as Bus,
    log,
    failing(value: boolean) {
      fail = value;
    },
  };
}

describe("a producer pool", () => {
  it("opens one producer for each topic, also for concurrent callers, and closes all together", async () => {
    const { bus, log } = countingBus();
    const producers = createProducerPool(bus);
    const [one, other] = await Promise.all([producers.get(signal, "a"), producers.get(signal, "a")]);
    expect(one).toBe(other);
    await producers.get(signal, "b");
    await producers.close();
    expect(log).toEqual(["open a", "open b", "close a", "close b"]);
  });

  it("retries a producer that could not be opened", async () => {
    const { bus, log, failing } = countingBus();
    const producers = createProducerPool(bus);
    failing(true);
    await expect(producers.get(signal, "a")).rejects.toThrow("bus unreachable");
    failing(false);
    await producers.get(signal, "a");
    expect(log).toEqual(["open a", "open a"]);
  });

  it("is bounded: it closes the least recently used producer", async () => {
    const { bus, log } = countingBus();
    const producers = createProducerPool(bus);
    for (let index = 0; index < 64; index += 1) {
      await producers.get(signal, `t${index}`);
    }
    await producers.get(signal, "t0");
    await producers.get(signal, "t64");
    expect(log.filter((line) => line.startsWith("close"))).toEqual(["close t1"]);
  });
});
