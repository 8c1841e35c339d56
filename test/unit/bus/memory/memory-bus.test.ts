import { describe, expect, it } from "vitest";
import type { Delivery } from "../../../../src/bus/bus.ts";
import {
  createMemoryBus,
  type MemoryBus,
  type PublishOutcome,
} from "../../../../src/bus/memory/memory-bus.ts";
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

  describe("with receipts at the acknowledgement (L15)", () => {
    /** Opens a topic with a subscription. Returns the names of the messages that have a receipt, and the deliveries. */
    const open = async (signal: AbortSignal, bus: MemoryBus, subscriptions = ["s"]) => {
      const consumers = await Promise.all(
        subscriptions.map((subscription) =>
          bus.subscribe(signal, { topic: "t", subscription, maxUnacknowledged: 10, maxPrefetched: 16 }),
        ),
      );
      const producer = await bus.createProducer(signal, "t");
      const receipts: string[] = [];
      const publish = async (key: string, isLosable?: boolean): Promise<void> => {
        const losable = isLosable === undefined ? {} : { isLosable };
        await producer.publish(signal, { key, payload: new Uint8Array(1), ...losable });
        receipts.push(key);
      };
      const deliveries = consumers.map((consumer) => consumer.deliveries(signal)[Symbol.asyncIterator]());
      const next = async (index = 0): Promise<Delivery> => (await deliveries[index]?.next())?.value;
      return { receipts, publish, next };
    };
    const turn = (): Promise<void> => new Promise(setImmediate);

    it("a publish resolves when its message is acknowledged, also in another order", async () => {
      const { signal } = new AbortController();
      const bus = createMemoryBus({ receiptAt: "acknowledged" });
      const { receipts, publish, next } = await open(signal, bus);
      const publishing = ["a", "b"].map((key) => publish(key));
      const [a, b] = [await next(), await next()];
      await turn();
      expect(receipts).toEqual([]);
      await b.acknowledge();
      await turn();
      expect(receipts).toEqual(["b"]);
      await a.acknowledge();
      await Promise.all(publishing);
      await bus.close();
    });

    it("a publish waits for all subscriptions, and for none if there is none", async () => {
      const { signal } = new AbortController();
      const bus = createMemoryBus({ receiptAt: "acknowledged" });
      await (await open(signal, bus, [])).publish("nobody");
      const { receipts, publish, next } = await open(signal, bus, ["s", "other"]);
      const publishing = publish("a");
      await (await next(0)).acknowledge();
      await turn();
      expect(receipts).toEqual([]);
      await (await next(1)).acknowledge();
      await publishing;
      await bus.close();
    });

    it("a message that is delivered again gets its receipt at the last acknowledgement", async () => {
      const { signal } = new AbortController();
      const bus = createMemoryBus({ receiptAt: "acknowledged" });
      const { receipts, publish, next } = await open(signal, bus);
      const publishing = publish("a");
      const lost = await next();
      bus.cutOff("t", "s");
      await lost.acknowledge();
      await turn();
      expect(receipts).toEqual([]);
      const again = await open(signal, bus);
      await (await again.next()).acknowledge();
      await publishing;
      await bus.close();
    });

    it("a message that may be lost has its receipt at once", async () => {
      const { signal } = new AbortController();
      const bus = createMemoryBus({ receiptAt: "acknowledged" });
      const { publish } = await open(signal, bus);
      await publish("a", true);
      await bus.close();
    });

    it("a publisher that gives up, and a bus that closes, end the wait without a receipt", async () => {
      const stop = new AbortController();
      const bus = createMemoryBus({ receiptAt: "acknowledged" });
      const impatient = await open(stop.signal, bus);
      const gaveUp = impatient.publish("a");
      const patient = (await open(new AbortController().signal, bus)).publish("b");
      stop.abort(new Error("enough"));
      await expect(gaveUp).rejects.toThrow("enough");
      const closed = expect(patient).rejects.toThrow("the bus is closed");
      await bus.close();
      await closed;
    });
  });
});
