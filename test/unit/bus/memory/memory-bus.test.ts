import { describe, expect, it } from "vitest";
import { createMemoryBus, type PublishOutcome } from "../../../../src/bus/memory/memory-bus.ts";
import { describeBus } from "../../../contract/bus.ts";

describeBus("memory", async () => {
  let next: PublishOutcome = "store";
  const bus = createMemoryBus({
    outcomeFor: () => {
      const fate = next;
      next = "store";
      return fate;
    },
  });
  return {
    bus,
    cutOff: async (topic, subscription) => bus.cutOff(topic, subscription),
    failNextPublish: (how) => {
      next = how;
    },
    close: () => bus.close(),
  };
});

describe("memory bus", () => {
  it("publishers wait in their order while the topic is full", async () => {
    const { signal } = new AbortController();
    const bus = createMemoryBus({ limits: { maxItems: 100, maxBytes: 10 } });
    const consumer = await bus.subscribe(signal, {
      topic: "t",
      subscription: "s",
      maxUnacknowledged: 10,
      maxPrefetched: 16,
    });
    const producer = await bus.createProducer(signal, "t");
    const stored: number[] = [];
    const publishing = [1, 2, 3].map(async (size) => {
      await producer.publish(signal, { key: "k", payload: new Uint8Array(size + 5) });
      stored.push(size);
    });
    const deliveries = consumer.deliveries(signal)[Symbol.asyncIterator]();
    const first = await deliveries.next();
    expect(stored).toEqual([1]);
    await first.value?.acknowledge();
    const second = await deliveries.next();
    expect(second.value?.payload.byteLength).toBe(7);
    await second.value?.acknowledge();
    await Promise.all(publishing);
    expect(stored).toEqual([1, 2, 3]);
    await bus.close();
  });

  it("L12: a key whose messages stay leaves room for the others, and any number of them does", async () => {
    const { signal } = new AbortController();
    const bus = createMemoryBus({ limits: { maxItems: 1_000, maxBytes: 1_000 } });
    const consumer = await bus.subscribe(signal, {
      topic: "t",
      subscription: "s",
      maxUnacknowledged: 10_000,
      maxPrefetched: 16,
    });
    const producer = await bus.createProducer(signal, "t");
    const deliveries = consumer.deliveries(signal)[Symbol.asyncIterator]();
    let waiting = 0;
    const publish = async (key: string): Promise<void> => {
      waiting += 1;
      await producer.publish(signal, { key, payload: new Uint8Array(10) });
      waiting -= 1;
    };
    const publishing: Promise<void>[] = [];
    for (const key of ["a", "b", "c", "d", "e"]) {
      publishing.push(...Array.from({ length: 100 }, () => publish(key)));
      await new Promise(setImmediate);
      expect(waiting).toBeGreaterThan(60);
      for (let message = 0; message < 50; message++) {
        await publish("other");
        let { value } = await deliveries.next();
        while (value?.key !== "other") {
          ({ value } = await deliveries.next());
        }
        await value.acknowledge();
      }
    }
    await bus.close();
    await Promise.allSettled(publishing);
  });

  it("the publishers behind one that gave up continue", async () => {
    const { signal } = new AbortController();
    const bus = createMemoryBus({ limits: { maxItems: 1, maxBytes: 1000 } });
    const consumer = await bus.subscribe(signal, {
      topic: "t",
      subscription: "s",
      maxUnacknowledged: 10,
      maxPrefetched: 16,
    });
    const producer = await bus.createProducer(signal, "t");
    await producer.publish(signal, { key: "k", payload: new Uint8Array(1) });
    const impatient = new AbortController();
    const gaveUp = producer.publish(impatient.signal, { key: "k", payload: new Uint8Array(2) });
    const patient = producer.publish(signal, { key: "k", payload: new Uint8Array(3) });
    impatient.abort(new Error("enough"));
    await expect(gaveUp).rejects.toThrow("enough");
    const deliveries = consumer.deliveries(signal)[Symbol.asyncIterator]();
    await (await deliveries.next()).value?.acknowledge();
    await patient;
    expect((await deliveries.next()).value?.payload.byteLength).toBe(3);
    await bus.close();
  });

  it("emptied resolves when every message of a topic is acknowledged", async () => {
    const stop = new AbortController();
    const { signal } = stop;
    const bus = createMemoryBus();
    await bus.emptied(signal, "t");
    const consumer = await bus.subscribe(signal, {
      topic: "t",
      subscription: "s",
      maxUnacknowledged: 10,
      maxPrefetched: 16,
    });
    const producer = await bus.createProducer(signal, "t");
    await producer.publish(signal, { key: "k", payload: new Uint8Array(1) });
    let isEmpty = false;
    const emptied = bus.emptied(signal, "t").then(() => {
      isEmpty = true;
    });
    const { value } = await consumer.deliveries(signal)[Symbol.asyncIterator]().next();
    await new Promise(setImmediate);
    expect(isEmpty).toBe(false);
    await value?.acknowledge();
    await emptied;
    await producer.publish(signal, { key: "k", payload: new Uint8Array(1) });
    const given = bus.emptied(signal, "t");
    stop.abort(new Error("enough"));
    await expect(given).rejects.toThrow("enough");
    await bus.close();
  });
});
