import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, it } from "vitest";
import { createBrokerAdmin } from "../../../deploy/local/components/broker-admin.ts";
import {
  type Bus,
  type Consumer,
  ensureSubscription,
  type Producer,
  PublishRefusedError,
  PublishUnknownError,
} from "../../../src/bus/bus.ts";
import { toPartition } from "../../../src/bus/pulsar/partitioned-producer.ts";
import { createPulsarWebSocketBus } from "../../../src/bus/pulsar/websocket/create-pulsar-websocket-bus.ts";
import { RetryableError } from "../../../src/lib/errors.ts";
import { busDependencies } from "../../support/bus/bus-dependencies.ts";
import { describeWithOwnBroker } from "../../support/bus/own-broker.ts";
import { eventually } from "../../support/e2e/eventually.ts";
import { createFastClock } from "../../support/fast-clock.ts";
import { createRecordingMetrics } from "../../support/recording-metrics.ts";

const PARTITIONS = 4;

const settings = { backlogQuotaCheckIntervalInSeconds: 1 };

describeWithOwnBroker("Pulsar's WebSocket API, and what its broker does", { settings }, (broker) => {
  const { signal } = new AbortController();
  const buses: Bus[] = [];
  afterEach(async () => {
    await Promise.all(buses.splice(0).map((bus) => bus.close()));
  });

  const open = (own: Partial<typeof busDependencies> = {}): Bus => {
    const { webSocketUrl: url, tenant } = broker();
    const bus = createPulsarWebSocketBus({ url, tenant }, { ...busDependencies, ...own });
    buses.push(bus);
    return bus;
  };
  const subscribe = (bus: Bus, topic: string): Promise<Consumer> =>
    bus.subscribe(signal, { topic, subscription: "s", maxUnacknowledged: 100, maxPrefetched: 16 });
  const numbered = (number: number) => ({ key: `k${number % 3}`, payload: Buffer.from(String(number)) });

  it.each(["producer_exception", "producer_request_hold"])(
    "messages are refused while a quota blocks the topic (%s), and are stored when there is room",
    { timeout: 120_000 },
    async (policy) => {
      const { adminUrl, tenant } = broker();
      const admin = createBrokerAdmin(adminUrl);
      const namespace = policy.replaceAll("_", "-");
      await admin.send("PUT", `namespaces/${tenant}/${namespace}`);
      const quota = { limitSize: 100_000, limitTime: -1, policy };
      const path = `namespaces/${tenant}/${namespace}/backlogQuota?backlogQuotaType=destination_storage`;
      await admin.send("POST", path, quota);
      const [bus, topic] = [open(), `${namespace}/topic`];
      await ensureSubscription(signal, bus, topic, "s");
      const producer = await bus.createProducer(signal, topic);
      const publish = () => producer.publish(signal, { key: "k", payload: new Uint8Array(30_000) });
      let refusal: unknown;
      await eventually("a refusal", async () => {
        refusal = await publish().catch((error: unknown) => error);
        expect(refusal).toBeInstanceOf(PublishRefusedError);
      });
      const consumer = await subscribe(bus, topic);
      const draining = (async () => {
        for await (const delivery of consumer.deliveries(signal)) {
          await delivery.acknowledge();
        }
      })();
      await eventually("room", publish);
      await consumer.close();
      await draining;
    },
  );

  it("a partition above its quota refuses its own keys only, also those of a producer that is opened then (L31)", {
    timeout: 120_000,
  }, async () => {
    const { adminUrl, tenant } = broker();
    const admin = createBrokerAdmin(adminUrl);
    await admin.send("PUT", `namespaces/${tenant}/partitions`);
    await admin.send("PUT", `persistent/${tenant}/partitions/topic/partitions`, PARTITIONS);
    const quota = { limitSize: 100_000, limitTime: -1, policy: "producer_exception" };
    const path = `namespaces/${tenant}/partitions/backlogQuota?backlogQuotaType=destination_storage`;
    await admin.send("POST", path, quota);
    const [bus, topic] = [open(), "partitions/topic"];
    await ensureSubscription(signal, bus, topic, "s");
    const publish = (producer: Producer, key: string, bytes: number) =>
      producer.publish(signal, { key, payload: new Uint8Array(bytes) });
    const keys = Array.from({ length: 16 }, (_, index) => `cluster-${index}`);
    const others = keys.filter((key) => toPartition(key, PARTITIONS) !== toPartition("flood", PARTITIONS));
    expect(others.length).toBeLessThan(keys.length);
    const first = await bus.createProducer(signal, topic);
    for (const key of keys) {
      await publish(first, key, 100);
    }
    await eventually("a refusal", () =>
      expect(publish(first, "flood", 30_000)).rejects.toThrow(PublishRefusedError),
    );
    const second = await open().createProducer(signal, topic);
    for (const producer of [first, second]) {
      for (const key of others) {
        await publish(producer, key, 100);
      }
    }
    await expect(publish(second, "flood", 30_000)).rejects.toThrow(PublishRefusedError);
    await bus.check(signal);
    const backlogs = await Promise.all(
      Array.from({ length: PARTITIONS }, async (_, partition) => {
        const stats = (await admin.send(
          "GET",
          `persistent/${tenant}/${topic}-partition-${partition}/stats`,
        )) as { subscriptions: { s: { msgBacklog: number } } };
        return stats.subscriptions.s.msgBacklog;
      }),
    );
    const expected = (partition: number): number =>
      keys.filter((key) => toPartition(key, PARTITIONS) === partition).length * 3;
    const flooded = toPartition("flood", PARTITIONS);
    expect(backlogs.map((count, partition) => (partition === flooded ? 0 : count))).toEqual(
      backlogs.map((_, partition) => (partition === flooded ? 0 : expected(partition))),
    );
  });

  it("the bus loses no message with a receipt when the broker restarts, and reconnects", {
    timeout: 120_000,
  }, async () => {
    const metrics = createRecordingMetrics();
    const [bus, topic] = [open({ metrics, clock: createFastClock(10) }), "main/restart"];
    await ensureSubscription(signal, bus, topic, "s");
    const producer = await bus.createProducer(signal, topic);
    const stop = new AbortController();
    const confirmed: number[] = [];
    const publishing = (async () => {
      for (let number = 0; !stop.signal.aborted; number++) {
        try {
          await producer.publish(signal, numbered(number));
          confirmed.push(number);
        } catch (error) {
          expect([PublishRefusedError, PublishUnknownError]).toContain((error as Error).constructor);
        }
        await sleep(1);
      }
    })();
    const seen = new Set<number>();
    const consuming = (async () => {
      while (!stop.signal.aborted) {
        const consumer = await subscribe(bus, topic).catch(() => sleep(100));
        try {
          for await (const delivery of consumer?.deliveries(stop.signal) ?? []) {
            seen.add(Number(Buffer.from(delivery.payload).toString()));
            await delivery.acknowledge();
          }
        } catch (error) {
          expect(stop.signal.aborted || error instanceof RetryableError).toBe(true);
        }
        await consumer?.close();
      }
    })();
    await eventually("messages before", () => expect(seen.size).toBeGreaterThan(50));
    await broker().restart(async () => {
      await eventually("the loss to be noticed", () =>
        expect(bus.check(signal)).rejects.toThrow(RetryableError),
      );
    });
    const before = confirmed.length;
    await eventually("receipts after", () => expect(confirmed.length).toBeGreaterThan(before + 50));
    await bus.check(signal);
    await eventually("all that was confirmed", () =>
      expect(confirmed.filter((n) => !seen.has(n))).toEqual([]),
    );
    stop.abort(new Error("enough"));
    await Promise.all([publishing, consuming]);
    expect(metrics.total("evenkeel_bus_reconnects_total")).toBeGreaterThan(0);
    expect(metrics.total("evenkeel_bus_consumer_cut_offs_total")).toBeGreaterThan(0);
    expect(metrics.read("evenkeel_bus_in_flight_messages")).toBe(0);
  });
});
