import { afterEach, beforeEach, expect, it } from "vitest";
import { createBrokerAdmin } from "../../../deploy/local/components/broker-admin.ts";
import { type Bus, type Consumer, PublishRefusedError, PublishUnknownError } from "../../../src/bus/bus.ts";
import { createPulsarWebSocketBus } from "../../../src/bus/pulsar/websocket/create-pulsar-websocket-bus.ts";
import { RetryableError } from "../../../src/lib/errors.ts";
import { describeWithBroker } from "../../support/bus/broker.ts";
import { busDependencies } from "../../support/bus/bus-dependencies.ts";
import { createWebSocketProxy, type WebSocketProxy } from "../../support/bus/websocket-proxy.ts";
import { eventually } from "../../support/e2e/eventually.ts";
import { createFastClock } from "../../support/fast-clock.ts";

const MIB = 1024 * 1024;
let topics = 0;

describeWithBroker("Pulsar's WebSocket API, and what networks do", (broker) => {
  const { signal } = new AbortController();
  let proxy: WebSocketProxy;
  let bus: Bus;
  let topic: string;

  beforeEach(async () => {
    const { webSocketUrl, tenant } = broker();
    proxy = await createWebSocketProxy(webSocketUrl);
    topic = `main/websocket-${process.pid}-${++topics}`;
    // The clock runs 20 times as fast, so that 30 s without a receipt pass in 1.5 s.
    const dependencies = { ...busDependencies, clock: createFastClock(20) };
    bus = createPulsarWebSocketBus({ url: proxy.url, tenant, maxMessageBytes: 7 * MIB }, dependencies);
  });
  afterEach(async () => {
    await bus.close();
    await eventually("connections to be closed", () => expect(proxy.connections).toBe(0));
    await proxy[Symbol.asyncDispose]();
  });

  const subscribe = (maxUnacknowledged = 100, maxPrefetched = 16): Promise<Consumer> =>
    bus.subscribe(signal, { topic, subscription: "s", maxUnacknowledged, maxPrefetched });
  const numbered = (number: number) => ({ key: `k${number % 5}`, payload: Buffer.from(String(number)) });
  const read = async (
    consumer: Consumer,
    isEnough: (numbers: readonly number[]) => boolean,
  ): Promise<number[]> => {
    const numbers: number[] = [];
    for await (const delivery of consumer.deliveries(signal)) {
      numbers.push(Number(Buffer.from(delivery.payload).toString()));
      await delivery.acknowledge();
      if (isEnough(numbers)) {
        break;
      }
    }
    return numbers;
  };

  it("no message is lost and each key keeps its order when the topic moves", async () => {
    const { adminUrl, tenant } = broker();
    const admin = createBrokerAdmin(adminUrl);
    const [consumer, producer] = [await subscribe(), await bus.createProducer(signal, topic)];
    const count = 600;
    const reading = read(consumer, (numbers) => new Set(numbers).size === count);
    for (let number = 0; number < count; number += 20) {
      const batch = Array.from({ length: 20 }, (_, index) =>
        producer.publish(signal, numbered(number + index)),
      );
      if (number % 200 === 100) {
        await admin.send("PUT", `persistent/${tenant}/${topic}/unload`);
      }
      await Promise.all(batch);
    }
    const ofKeys = Map.groupBy(new Set(await reading), (number) => number % 5);
    for (const numbers of ofKeys.values()) {
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    }
  });

  it("the outcome of a publish without a receipt is unknown, and the producer reconnects", async () => {
    const [consumer, producer] = [await subscribe(), await bus.createProducer(signal, topic)];
    proxy.failNextPublish("loseReceipt");
    await expect(producer.publish(signal, numbered(1))).rejects.toThrow(PublishUnknownError);
    await producer.publish(signal, numbered(2));
    expect(await read(consumer, ({ length }) => length === 2)).toEqual([1, 2]);
  });

  it("a producer detects that its connection died silently, and publishes over another one", async () => {
    const producer = await bus.createProducer(signal, topic);
    proxy.freeze("/producer/");
    expect(proxy.connections).toBe(0);
    await eventually("another connection", () => expect(proxy.connections).toBe(1));
    await producer.publish(signal, numbered(1));
  });

  it("a consumer detects that its connection died silently", async () => {
    const consumer = await subscribe();
    proxy.freeze("/consumer/");
    const reading = read(consumer, () => true);
    await expect(reading).rejects.toThrow(RetryableError);
    await expect(reading).rejects.toThrow("a ping was not answered");
  });

  it("the broker sends a consumer no more messages than its permits", async () => {
    const consumer = await subscribe(6, 3);
    const producer = await bus.createProducer(signal, topic);
    await Promise.all(Array.from({ length: 50 }, (_, number) => producer.publish(signal, numbered(number))));
    const deliveries = consumer.deliveries(signal)[Symbol.asyncIterator]();
    const sent = (): number => proxy.countFromBroker("/consumer/");
    const held = [(await deliveries.next()).value];
    for (let index = 1; index < 6; index++) {
      held.push((await deliveries.next()).value);
      expect(sent() - held.length).toBeLessThanOrEqual(3);
    }
    await eventually("the limit to be reached", () => expect(sent()).toBe(6));
    await held[3]?.acknowledge();
    await deliveries.next();
    expect(sent()).toBe(7);
  });

  it("the error of a message above a limit of the broker names the limit, and the producer continues", async () => {
    // A busy broker takes a second for 5 MiB, so this bus has the machine's clock.
    const { tenant } = broker();
    const patient = createPulsarWebSocketBus(
      { url: proxy.url, tenant, maxMessageBytes: 7 * MIB },
      busDependencies,
    );
    const producer = await patient.createProducer(signal, topic);
    // Refused, or unknown if the broker closed the connection before its reason was read. Both errors name the limit.
    const aboveFrame = producer.publish(signal, { key: "k", payload: new Uint8Array(6.5 * MIB) });
    await expect(aboveFrame).rejects.toThrow("webSocketMaxTextFrameSize");
    const aboveMessage = producer.publish(signal, { key: "k", payload: new Uint8Array(5 * MIB + 1) });
    await expect(aboveMessage).rejects.toThrow(PublishRefusedError);
    await expect(aboveMessage).rejects.toThrow("exceeds 5242880 bytes");
    await producer.publish(signal, { key: "k", payload: new Uint8Array(4.9 * MIB) });
    await patient.close();
  });

  it("a missing namespace is an error that names it", async () => {
    await expect(bus.createProducer(signal, "nowhere/topic")).rejects.toThrow("Namespace not found");
    const options = { topic: "nowhere/topic", subscription: "s", maxUnacknowledged: 1, maxPrefetched: 1 };
    await expect(bus.subscribe(signal, options)).rejects.toThrow("Namespace not found");
  });
});
