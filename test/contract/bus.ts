import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type Bus,
  type Consumer,
  type Delivery,
  ensureSubscription,
  PublishRefusedError,
  PublishUnknownError,
} from "../../src/bus/bus.ts";
import { toDeadLetter } from "../../src/event/dead-letter.ts";
import { RetryableError } from "../../src/lib/errors.ts";

/** An adapter under test, and the faults that it can inject. */
export interface BusHarness {
  readonly bus: Bus;
  /** Cuts off the consumers of the subscription. */
  cutOff(topic: string, subscription: string): Promise<void>;
  /** Lets the next publish fail: refused, or stored without a receipt. */
  failNextPublish(how: "refuse" | "storeUnknown"): void;
  close(): Promise<void>;
}

/** Tests the guarantees of every adapter of the bus port. */
export function describeBus(name: string, createHarness: () => Promise<BusHarness>): void {
  describe(`bus contract: ${name}`, () => {
    let harness: BusHarness;
    let signal: AbortSignal;
    let controller: AbortController;
    let topics = 0;

    beforeEach(async () => {
      controller = new AbortController();
      signal = controller.signal;
      harness = await createHarness();
    });
    afterEach(async () => {
      controller.abort();
      await harness.close();
    });

    const newTopic = (): string => `main/topic-${process.pid}-${++topics}`;
    const subscribe = (topic: string, maxUnacknowledged = 100, subscription = "s"): Promise<Consumer> =>
      harness.bus.subscribe(signal, { topic, subscription, maxUnacknowledged, maxPrefetched: 16 });
    const publish = async (topic: string, messages: readonly [string, string][]): Promise<void> => {
      const producer = await harness.bus.createProducer(signal, topic);
      for (const [key, text] of messages) {
        await producer.publish(signal, { key, payload: encode(text) });
      }
      await producer.close();
    };
    const take = async (consumer: Consumer, count: number): Promise<Delivery[]> => {
      const deliveries: Delivery[] = [];
      for await (const delivery of consumer.deliveries(signal)) {
        deliveries.push(delivery);
        if (deliveries.length === count) {
          break;
        }
      }
      return deliveries;
    };

    it("a delivery has the key, payload and properties of the publish", async () => {
      const topic = newTopic();
      const consumer = await subscribe(topic);
      const producer = await harness.bus.createProducer(signal, topic);
      const payload = Uint8Array.from({ length: 256 }, (_, index) => index);
      await producer.publish(signal, { key: '["a","ü"]', payload, properties: { body: "batch", x: "ü" } });
      const [delivery] = await take(consumer, 1);
      expect(delivery?.key).toBe('["a","ü"]');
      expect(delivery && new Uint8Array(delivery.payload)).toEqual(payload);
      expect(delivery?.properties).toMatchObject({ body: "batch", x: "ü" });
      expect(delivery?.redeliveryCount).toBe(0);
    });

    it("the messages of a key are delivered in the order of the publish calls, also without awaiting them", async () => {
      const topic = newTopic();
      const consumer = await subscribe(topic, 1000);
      const producer = await harness.bus.createProducer(signal, topic);
      const texts = Array.from({ length: 200 }, (_, index) => String(index));
      await Promise.all(texts.map((text) => producer.publish(signal, { key: "k", payload: encode(text) })));
      expect((await take(consumer, 200)).map(decode)).toEqual(texts);
    });

    it("a consumer receives no more than its unacknowledged limit, and acknowledges single messages", async () => {
      const topic = newTopic();
      const consumer = await subscribe(topic, 2);
      await publish(topic, [
        ["k", "1"],
        ["k", "2"],
        ["k", "3"],
      ]);
      const iterator = consumer.deliveries(signal)[Symbol.asyncIterator]();
      const first = await iterator.next();
      const second = await iterator.next();
      let third: string | undefined;
      const pending = iterator.next().then(({ value }) => {
        third = decode(value);
      });
      expect([decode(first.value), decode(second.value), third]).toEqual(["1", "2", undefined]);
      await second.value.acknowledge();
      await pending;
      expect(third).toBe("3");
    });

    it("the unacknowledged messages of a consumer that left are delivered again", async () => {
      const topic = newTopic();
      const first = await subscribe(topic);
      await publish(topic, [
        ["k", "1"],
        ["k", "2"],
        ["k", "3"],
      ]);
      const [one] = await take(first, 2);
      await one?.acknowledge();
      await first.close();
      const second = await subscribe(topic);
      const deliveries = await take(second, 2);
      // The bus decides which redeliveries it counts: Pulsar does not count those after a consumer left.
      expect(deliveries.map(decode)).toEqual(["2", "3"]);
    });

    it("a subscription keeps the messages that are published without a consumer", async () => {
      const topic = newTopic();
      await ensureSubscription(signal, harness.bus, topic, "s");
      const long = "2".repeat(100_000);
      await publish(topic, [
        ["k", "1"],
        ["l", long],
      ]);
      const deliveries = await take(await subscribe(topic), 2);
      expect(deliveries.map(decode).sort()).toEqual(["1", long]);
    });

    it("L11: a consumer gives messages back, gets them again in order, and others meanwhile", async () => {
      const topic = newTopic();
      // As many as it may have: messages that were given back do not count.
      const consumer = await subscribe(topic, 23);
      const texts = Array.from({ length: 20 }, (_, index) => String(index));
      await publish(topic, [
        ...texts.map((text): [string, string] => ["k", text]),
        ["other", "a"],
        ["other", "b"],
      ]);
      const first = await take(consumer, 22);
      const [held, ...later] = first.filter(({ key }) => key === "k");
      await publish(topic, [["other", "c"]]);
      for (const delivery of later) {
        await delivery.redeliver();
        // Has no effect: the message was given back.
        await delivery.acknowledge();
      }
      const again = await take(consumer, 20);
      expect(again.filter(({ key }) => key === "k").map(decode)).toEqual(texts.slice(1));
      expect(again.filter(({ key }) => key === "other").map(decode)).toEqual(["c"]);
      for (const delivery of [held, ...again]) {
        await delivery?.acknowledge();
      }
      await consumer.close();
      const next = await take(await subscribe(topic), 2);
      expect(next.map(decode)).toEqual(["a", "b"]);
    });

    it("L11: a message that its consumer gave back is delivered to the next one, before its later ones", async () => {
      const topic = newTopic();
      const first = await subscribe(topic);
      await publish(topic, [
        ["k", "1"],
        ["k", "2"],
        ["k", "3"],
      ]);
      const [, two] = await take(first, 3);
      await two?.redeliver();
      await first.close();
      expect((await take(await subscribe(topic), 3)).map(decode)).toEqual(["1", "2", "3"]);
    });

    it("each subscription receives all messages", async () => {
      const topic = newTopic();
      const [one, other] = [await subscribe(topic), await subscribe(topic, 100, "other")];
      await publish(topic, [["k", "1"]]);
      for (const consumer of [one, other]) {
        const [delivery] = await take(consumer, 1);
        expect(delivery && decode(delivery)).toBe("1");
        await delivery?.acknowledge();
      }
    });

    it("the messages of a key go to one consumer at a time", async () => {
      const topic = newTopic();
      const consumers = [await subscribe(topic), await subscribe(topic)];
      const keys = ["a", "b", "c", "d", "e", "f"];
      const owners = new Map<string, Set<number>>();
      const seen: Record<string, string[]> = {};
      const all = Promise.withResolvers<void>();
      let left = keys.length * 10;
      const reading = consumers.map(async (consumer, index) => {
        const held: Delivery[] = [];
        for await (const delivery of consumer.deliveries(signal)) {
          held.push(delivery);
          owners.set(delivery.key, (owners.get(delivery.key) ?? new Set()).add(index));
          seen[delivery.key] = [...(seen[delivery.key] ?? []), decode(delivery)];
          left -= 1;
          if (left === 0) {
            all.resolve();
          }
        }
      });
      const messages = Array.from({ length: 10 }, (_, round) =>
        keys.map((key) => [key, String(round)] as [string, string]),
      );
      await publish(topic, messages.flat());
      await all.promise;
      controller.abort();
      await Promise.allSettled(reading);
      for (const key of keys) {
        expect(owners.get(key)?.size, `consumers of ${key}`).toBe(1);
        expect(seen[key]).toEqual(Array.from({ length: 10 }, (_, round) => String(round)));
      }
    });

    it("each key keeps its order while consumers join, and leave without unacknowledged messages", async () => {
      const topic = newTopic();
      const keys = Array.from({ length: 12 }, (_, index) => `key ${index}`);
      const [phases, roundsPerPhase] = [6, 10];
      const applied = new Map<string, number[]>(keys.map((key) => [key, []]));
      let [count, awaited] = [0, Promise.withResolvers<void>()];
      const apply = async (consumer: Consumer): Promise<void> => {
        for await (const delivery of consumer.deliveries(signal)) {
          applied.get(delivery.key)?.push(Number(decode(delivery)));
          await delivery.acknowledge();
          count += 1;
          if (count % (keys.length * roundsPerPhase) === 0) {
            awaited.resolve();
          }
        }
      };
      const producer = await harness.bus.createProducer(signal, topic);
      const members: { readonly consumer: Consumer; readonly applying: Promise<void> }[] = [];
      const join = async (): Promise<void> => {
        const consumer = await subscribe(topic, 20);
        members.push({ consumer, applying: apply(consumer) });
      };
      await join();
      for (let phase = 0; phase < phases; phase++) {
        awaited = Promise.withResolvers<void>();
        const joining = join();
        for (let round = 0; round < roundsPerPhase; round++) {
          const payload = encode(String(phase * roundsPerPhase + round));
          await Promise.all(keys.map((key) => producer.publish(signal, { key, payload })));
        }
        await Promise.all([joining, awaited.promise]);
        if (phase % 2 === 1) {
          const oldest = members.shift();
          await oldest?.consumer.close();
          await oldest?.applying;
        }
      }
      const inOrder = Array.from({ length: phases * roundsPerPhase }, (_, round) => round);
      expect(Object.fromEntries(applied)).toEqual(Object.fromEntries(keys.map((key) => [key, inOrder])));
      controller.abort();
      await Promise.allSettled(members.map(({ applying }) => applying));
    });

    it("the bus cuts a consumer off with a retryable error, and delivers its messages to another one meanwhile", async () => {
      const topic = newTopic();
      const first = await subscribe(topic);
      await publish(topic, [
        ["k", "1"],
        ["k", "2"],
      ]);
      const iterator = first.deliveries(signal)[Symbol.asyncIterator]();
      const held: Delivery = (await iterator.next()).value;
      await harness.cutOff(topic, "s");
      const second = await subscribe(topic);
      const again = await take(second, 2);
      expect(again.map(decode)).toEqual(["1", "2"]);
      // The consumer that was cut off has not detected it yet. Its acknowledgement must have no effect.
      await held.acknowledge();
      await expect(
        (async () => {
          for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
            await next.value.acknowledge();
          }
        })(),
      ).rejects.toThrow(RetryableError);
    });

    it("the errors of a refused publish and of a publish without a receipt differ", async () => {
      const topic = newTopic();
      const consumer = await subscribe(topic);
      const producer = await harness.bus.createProducer(signal, topic);
      harness.failNextPublish("refuse");
      await expect(producer.publish(signal, { key: "k", payload: encode("refused") })).rejects.toThrow(
        PublishRefusedError,
      );
      harness.failNextPublish("storeUnknown");
      await expect(producer.publish(signal, { key: "k", payload: encode("unknown") })).rejects.toThrow(
        PublishUnknownError,
      );
      await producer.publish(signal, { key: "k", payload: encode("stored") });
      const texts = (await take(consumer, 2)).map(decode);
      expect(texts).toEqual(["unknown", "stored"]);
    });

    it("the bus carries an empty payload", async () => {
      const topic = newTopic();
      const consumer = await subscribe(topic);
      const producer = await harness.bus.createProducer(signal, topic);
      await producer.publish(signal, { key: "k", payload: new Uint8Array() });
      const [delivery] = await take(consumer, 1);
      expect(delivery?.payload.byteLength).toBe(0);
    });

    it("the bus carries a payload of its largest size, and refuses a larger one", async () => {
      const topic = newTopic();
      const consumer = await subscribe(topic);
      const producer = await harness.bus.createProducer(signal, topic);
      const { maxMessageBytes } = harness.bus;
      const tooLarge = producer.publish(signal, { key: "k", payload: new Uint8Array(maxMessageBytes + 1) });
      await expect(tooLarge).rejects.toThrow(PublishRefusedError);
      await expect(tooLarge).rejects.toThrow(`${maxMessageBytes + 1} bytes`);
      const payload = new Uint8Array(maxMessageBytes).fill(7);
      await producer.publish(signal, { key: "k", payload });
      const [delivery] = await take(consumer, 1);
      expect(delivery && Buffer.compare(delivery.payload, payload)).toBe(0);
    });

    it("the bus carries a dead letter with its reason, source and redelivery count", async () => {
      const topic = newTopic();
      const deadLetters = newTopic();
      const consumer = await subscribe(topic);
      const dead = await subscribe(deadLetters);
      await publish(topic, [["k", "bad"]]);
      const [delivery] = await take(consumer, 1);
      const producer = await harness.bus.createProducer(signal, deadLetters);
      await producer.publish(signal, toDeadLetter(delivery as Delivery, "cannot be stored"));
      const [letter] = await take(dead, 1);
      expect(letter && decode(letter)).toBe("bad");
      expect(letter?.properties).toMatchObject({
        "dead-letter-reason": "cannot be stored",
        "source-position": delivery?.messageId,
        "redelivery-count": "0",
      });
    });

    it("the deliveries of a consumer end when it leaves", async () => {
      const consumer = await subscribe(newTopic());
      const next = consumer.deliveries(signal)[Symbol.asyncIterator]().next();
      await consumer.close();
      expect(await next).toMatchObject({ done: true });
    });

    it("the check of the bus passes until the bus is closed", async () => {
      await expect(harness.bus.check(signal)).resolves.toBeUndefined();
      await harness.bus.close();
      await expect(harness.bus.check(signal)).rejects.toThrow(Error);
      await expect(harness.bus.createProducer(signal, newTopic())).rejects.toThrow(Error);
    });

    it("deliveries end with the signal's reason", async () => {
      const consumer = await subscribe(newTopic());
      const next = consumer.deliveries(signal)[Symbol.asyncIterator]().next();
      controller.abort(new Error("stop"));
      await expect(next).rejects.toThrow("stop");
    });
  });
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function decode(delivery: Delivery): string {
  return new TextDecoder().decode(delivery.payload);
}
