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
        throw new Error("the bus is gone");
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

describe("the producers of an ingester", () => {
  it("are opened once for each topic, also when several ask at once, and closed together", async () => {
    const { bus, log } = countingBus();
    const producers = createProducerPool(bus);
    const [one, other] = await Promise.all([producers.get(signal, "a"), producers.get(signal, "a")]);
    expect(one).toBe(other);
    await producers.get(signal, "b");
    await producers.close();
    expect(log).toEqual(["open a", "open b", "close a", "close b"]);
  });

  it("that could not be opened are tried again", async () => {
    const { bus, log, failing } = countingBus();
    const producers = createProducerPool(bus);
    failing(true);
    await expect(producers.get(signal, "a")).rejects.toThrow("the bus is gone");
    failing(false);
    await producers.get(signal, "a");
    expect(log).toEqual(["open a", "open a"]);
  });

  it("are bounded: the one that was used longest ago is closed", async () => {
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
