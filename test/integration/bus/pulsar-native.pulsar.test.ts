import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, expect, it } from "vitest";
import {
  type Bus,
  type Delivery,
  ensureSubscription,
  type OutgoingMessage,
  type Producer,
  PublishUnknownError,
} from "../../../src/bus/bus.ts";
import { openBus } from "../../../src/bus/open-bus.ts";
import { createPulsarNativeBus } from "../../../src/bus/pulsar/native/create-pulsar-native-bus.ts";
import { RetryableError } from "../../../src/lib/errors.ts";
import { describeWithBroker } from "../../support/bus/broker.ts";
import { busDependencies } from "../../support/bus/bus-dependencies.ts";
import { describeWithOwnBroker } from "../../support/bus/own-broker.ts";
import { describeWithPulsarClient } from "../../support/bus/pulsar-client.ts";
import { administer } from "../../support/bus/pulsar-tenant.ts";

const { signal } = new AbortController();

async function take(bus: Bus, topic: string, count: number): Promise<Delivery[]> {
  const consumer = await bus.subscribe(signal, {
    topic,
    subscription: "s",
    maxUnacknowledged: 100,
    maxPrefetched: 16,
  });
  const deliveries: Delivery[] = [];
  for await (const delivery of consumer.deliveries(signal)) {
    deliveries.push(delivery);
    await delivery.acknowledge();
    if (deliveries.length === count) {
      break;
    }
  }
  await consumer.close();
  return deliveries;
}

/** Retries a publish, because a restarting broker can take longer than the time limit of a receipt. */
async function publishUntilStored(producer: Producer, message: OutgoingMessage): Promise<void> {
  try {
    await producer.publish(signal, message);
  } catch (error) {
    expect(error).toBeInstanceOf(PublishUnknownError);
    await publishUntilStored(producer, message);
  }
}

describeWithPulsarClient("pulsar-native beside pulsar-websocket, and when its broker restarts", (pulsar) => {
  const open: Bus[] = [];
  afterEach(async () => {
    await Promise.all(open.splice(0).map((bus) => bus.close()));
  });
  const native = (url: string, tenant: string): Bus => {
    const bus = createPulsarNativeBus({ url, tenant }, busDependencies, pulsar);
    open.push(bus);
    return bus;
  };

  describeWithBroker("a topic with partitions", (broker) => {
    const createTopic = async (): Promise<string> => {
      const topic = `main/native-${randomUUID()}`;
      const { adminUrl, tenant } = broker();
      await administer(adminUrl, tenant).createTopic(signal, topic, 4);
      return topic;
    };
    const buses = async (): Promise<{ ours: Bus; theirs: Bus }> => {
      const { webSocketUrl, serviceUrl, tenant } = broker();
      const theirs = await openBus({ url: webSocketUrl, tenant }, busDependencies);
      open.push(theirs);
      return { ours: native(serviceUrl, tenant), theirs };
    };

    it.each(["ours", "theirs"] as const)("both adapters receive equal messages from %s", async (from) => {
      const [topic, both] = [await createTopic(), await buses()];
      const to = both[from === "ours" ? "theirs" : "ours"];
      await ensureSubscription(signal, to, topic, "s");
      const producer = await both[from].createProducer(signal, topic);
      const payload = Uint8Array.from({ length: 256 }, (_, index) => index);
      const properties = { body: "batch", "dead-letter-reason": "ü\n" };
      await producer.publish(signal, { key: '["a","ü"]', payload, properties });
      const [delivery] = await take(to, topic, 1);
      expect(delivery).toMatchObject({ key: '["a","ü"]', properties, redeliveryCount: 0 });
      expect(delivery && new Uint8Array(delivery.payload)).toEqual(payload);
    });

    it("both adapters publish a key to the same partition", async () => {
      const [topic, both] = [await createTopic(), await buses()];
      await ensureSubscription(signal, both.ours, topic, "s");
      const keys = Array.from({ length: 20 }, (_, index) => `["account","cluster-${index}"]`);
      for (const bus of [both.ours, both.theirs]) {
        const producer = await bus.createProducer(signal, topic);
        await Promise.all(keys.map((key) => producer.publish(signal, { key, payload: new Uint8Array() })));
      }
      const deliveries = await take(both.ours, topic, 40);
      const partitions = Map.groupBy(deliveries, ({ key }) => key);
      for (const [key, ofKey] of partitions) {
        const found = ofKey.map(({ messageId }) => messageId.split(":")[2]);
        expect(new Set(found).size, `partitions of ${key}`).toBe(1);
      }
      expect(new Set(deliveries.map(({ messageId }) => messageId.split(":")[2])).size).toBeGreaterThan(1);
    });

    it("a program ends after it has closed its bus, also with a token", async () => {
      const { serviceUrl, tenant } = broker();
      const program = fileURLToPath(new URL("../../support/bus/native-bus-process.ts", import.meta.url));
      const args = [program, serviceUrl, tenant, await createTopic()];
      await promisify(execFile)(process.execPath, args, { timeout: 30_000 });
    });

    it("each message is acknowledged in its partition", async () => {
      const [topic, { ours }] = [await createTopic(), await buses()];
      await ensureSubscription(signal, ours, topic, "s");
      const producer = await ours.createProducer(signal, topic);
      const keys = Array.from({ length: 12 }, (_, index) => `k${index}`);
      await Promise.all(keys.map((key) => producer.publish(signal, { key, payload: new Uint8Array() })));
      await take(ours, topic, 12);
      await producer.publish(signal, { key: "last", payload: new Uint8Array() });
      expect((await take(ours, topic, 1)).map(({ key }) => key)).toEqual(["last"]);
    });
  });

  describeWithOwnBroker("a broker that is restarted", {}, (broker) => {
    it("the restart of a broker ends consumers, and producers reconnect", { timeout: 120_000 }, async () => {
      const { serviceUrl, tenant } = broker();
      const bus = native(serviceUrl, tenant);
      const options = { topic: "main/restarted", subscription: "s", maxUnacknowledged: 10, maxPrefetched: 4 };
      const consumer = await bus.subscribe(signal, options);
      const producer = await bus.createProducer(signal, options.topic);
      await producer.publish(signal, { key: "k", payload: Uint8Array.of(1) });
      const deliveries = consumer.deliveries(signal)[Symbol.asyncIterator]();
      const held: Delivery = (await deliveries.next()).value;
      const cutOff = expect(deliveries.next()).rejects.toThrow(RetryableError);
      let during: Promise<void> | undefined;
      await broker().restart(async () => {
        await cutOff;
        await expect(bus.check(AbortSignal.timeout(2000))).rejects.toThrow(Error);
        during = publishUntilStored(producer, { key: "k", payload: Uint8Array.of(2) });
      });
      await held.acknowledge();
      await during;
      await bus.check(signal);
      const again = await take(bus, options.topic, 2);
      expect(again.map(({ payload }) => payload[0])).toEqual([1, 2]);
    });
  });
});
