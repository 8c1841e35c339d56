import { describe, expect, it } from "vitest";
import { createMemoryBus } from "../../../../src/bus/memory/memory-bus.ts";
import type {
  BrokerLimits,
  PulsarAdmin,
  SubscriptionStats,
} from "../../../../src/bus/pulsar/admin/pulsar-admin.ts";
import { createBrokerMonitor, isSubscriptionStalled } from "../../../../src/bus/pulsar/broker-monitor.ts";
import { DEAD_LETTER_SUBSCRIPTION, INGESTER_SUBSCRIPTION, TOPICS } from "../../../../src/event/topics.ts";
import { RetryableError, TerminalError } from "../../../../src/lib/errors.ts";
import { type Metrics, noMetrics } from "../../../../src/lib/telemetry.ts";
import { createMemoryPulsarAdmin } from "../../../support/bus/memory-pulsar-admin.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { createTestLog } from "../../../support/vitest/test-log.ts";

const MEBIBYTE = 1024 * 1024;
const { signal } = new AbortController();

async function watch(limits: BrokerLimits | undefined, maxMessageBytes = MEBIBYTE) {
  const gauges = new Map<string, () => number | undefined>();
  const metrics: Metrics = { ...noMetrics, gauge: (name, _, read) => void gauges.set(name, read) };
  const admin = createMemoryPulsarAdmin(
    limits ?? { maxMessageBytes: 0, maxTextFrameBytes: 0, sessionIdleMs: 0 },
  );
  let isGone = false;
  let inReplay = 0;
  const stalls: string[] = [];
  const seen: PulsarAdmin = {
    ...admin,
    countPartitions: (s, topic) =>
      isGone ? Promise.reject(new RetryableError("gone")) : admin.countPartitions(s, topic),
    readBrokerLimits: async (s) =>
      limits === undefined
        ? Promise.reject(new TerminalError("401: only for superusers"))
        : admin.readBrokerLimits(s),
    readSubscription: async (s, topic, subscription) => ({
      ...(await admin.readSubscription(s, topic, subscription)),
      inReplay: topic.endsWith("-1") ? inReplay : 0,
    }),
  };
  const clock = new ManualClock();
  const log = createTestLog();
  const bus = createMemoryBus({ maxMessageBytes });
  const stop = new AbortController();
  const broker = createBrokerMonitor({
    ...{ admin: seen, bus, isWebSocket: true, clock, log, metrics },
    events: { topic: TOPICS.events, subscription: INGESTER_SUBSCRIPTION },
    deadLetters: { topic: TOPICS.deadLetter, subscription: DEAD_LETTER_SUBSCRIPTION },
    onStall: (reason) => stalls.push(reason),
  });
  const running = broker.run(stop.signal);
  const read = (): unknown[] =>
    ["evenkeel_bus_backlog_messages", "evenkeel_bus_dead_letters"].map((name) => gauges.get(name)?.());
  const end = async (): Promise<void> => {
    stop.abort();
    await clock.advance(0);
    await running;
    expect(clock.pending).toBe(0);
  };
  const setGone = (value: boolean): void => {
    isGone = value;
  };
  const setInReplay = (count: number): void => {
    inReplay = count;
  };
  return { admin, broker, clock, read, end, setGone, setInReplay, stalls, log };
}

async function createTopics(admin: PulsarAdmin): Promise<void> {
  await admin.createTenant(signal);
  await admin.createNamespace(signal, "main");
  await admin.createTopic(signal, TOPICS.events, 2);
  await admin.createTopic(signal, TOPICS.deadLetter, 0);
  await admin.createSubscription(signal, TOPICS.deadLetter, DEAD_LETTER_SUBSCRIPTION);
  for (const partition of [0, 1]) {
    const topic = `${TOPICS.events}-partition-${partition}`;
    await admin.createTopic(signal, topic, 0);
    await admin.createSubscription(signal, topic, INGESTER_SUBSCRIPTION);
  }
}

describe("monitoring the broker", () => {
  it("the backlog covers all partitions, and has no value while it cannot be read", async () => {
    const { admin, clock, read, end, setGone } = await watch({
      maxMessageBytes: 5 * MEBIBYTE,
      maxTextFrameBytes: 8 * MEBIBYTE,
      sessionIdleMs: 45_000,
    });
    await clock.advance(1_000);
    expect(read()).toEqual([undefined, undefined]);
    await createTopics(admin);
    for (const partition of [0, 1]) {
      admin.publish(`${TOPICS.events}-partition-${partition}`);
    }
    admin.publish(TOPICS.deadLetter);
    await clock.advance(15_000);
    expect(read()).toEqual([2, 1]);
    setGone(true);
    await clock.advance(15_000);
    expect(read()).toEqual([undefined, undefined]);
    setGone(false);
    await clock.advance(15_000);
    expect(read()).toEqual([2, 1]);
    await end();
  });

  it("limits that the token must not read are logged once, and the backlogs are read", async () => {
    const { admin, broker, clock, read, end, log } = await watch(undefined);
    await createTopics(admin);
    await clock.advance(60_000);
    expect(read()).toEqual([0, 0]);
    expect(() => broker.assertLimits()).not.toThrow();
    expect(log.lines.filter((line) => line.includes("limits"))).toEqual([
      "info broker limits not read: 401: only for superusers",
    ]);
    await end();
  });

  it("a subscription that stalls between two polls is reported", async () => {
    const { admin, clock, end, setGone, setInReplay, stalls } = await watch({
      maxMessageBytes: 5 * MEBIBYTE,
      maxTextFrameBytes: 8 * MEBIBYTE,
      sessionIdleMs: 45_000,
    });
    await createTopics(admin);
    await clock.advance(15_000);
    setInReplay(3);
    await clock.advance(15_000);
    expect(stalls).toEqual([]);
    await clock.advance(15_000);
    expect(stalls).toEqual(["the subscription ingester has stalled on main/events-partition-1"]);
    await clock.advance(15_000);
    expect(stalls).toHaveLength(1);
    await clock.advance(15_000);
    expect(stalls).toHaveLength(2);
    // A poll before the outage of the broker proves nothing.
    setGone(true);
    await clock.advance(15_000);
    setGone(false);
    await clock.advance(15_000);
    expect(stalls).toHaveLength(2);
    await end();
  });

  it.each([
    [{ maxMessageBytes: MEBIBYTE, maxTextFrameBytes: 2 * MEBIBYTE, sessionIdleMs: 45_000 }, undefined],
    [
      { maxMessageBytes: MEBIBYTE - 1, maxTextFrameBytes: 2 * MEBIBYTE, sessionIdleMs: 45_000 },
      /maxMessageSize.*expected 1048576/,
    ],
    [
      { maxMessageBytes: MEBIBYTE, maxTextFrameBytes: MEBIBYTE, sessionIdleMs: 45_000 },
      /webSocketMaxTextFrameSize.*expected 1430872/,
    ],
  ])("limits that are too low are an error: %o", async (limits, problem) => {
    const { admin, broker, clock, end } = await watch(limits);
    await admin.createTenant(signal);
    await admin.createNamespace(signal, "main");
    await admin.createTopic(signal, TOPICS.events, 0);
    await admin.createTopic(signal, TOPICS.deadLetter, 0);
    await admin.createSubscription(signal, TOPICS.deadLetter, DEAD_LETTER_SUBSCRIPTION);
    await clock.advance(15_000);
    if (problem === undefined) {
      expect(() => broker.assertLimits()).not.toThrow();
    } else {
      expect(() => broker.assertLimits()).toThrow(problem);
    }
    await end();
  });
});

const waiting: SubscriptionStats = { backlog: 11, inReplay: 11, unacknowledged: 0, delivered: 166 };

describe("a subscription", () => {
  it("has stalled if messages wait at two polls, no consumer has any, and none was delivered", () => {
    expect(isSubscriptionStalled(waiting, { ...waiting, backlog: 12, inReplay: 12 })).toBe(true);
  });

  it.each<[string, SubscriptionStats | undefined, SubscriptionStats | undefined]>([
    ["no message waited at the first poll", { ...waiting, inReplay: 0 }, waiting],
    ["no message waits at the second poll", waiting, { ...waiting, inReplay: 0 }],
    ["a consumer has messages at the second poll", waiting, { ...waiting, unacknowledged: 1 }],
    ["a consumer had messages at the first poll", { ...waiting, unacknowledged: 1 }, waiting],
    ["a message was delivered between the polls", waiting, { ...waiting, delivered: 167 }],
    ["there was no first poll", undefined, waiting],
    ["the second poll failed", waiting, undefined],
  ])("has not stalled if %s", (_, before, now) => {
    expect(isSubscriptionStalled(before, now)).toBe(false);
  });
});
