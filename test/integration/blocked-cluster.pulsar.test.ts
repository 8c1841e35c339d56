import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, expect, it } from "vitest";
import { BatchSchema, BatchType } from "../../gen/proto/evenkeel/v1/batch_pb.ts";
import type { Bus, Producer } from "../../src/bus/bus.ts";
import { openBus } from "../../src/bus/open-bus.ts";
import { encodeEvent } from "../../src/event/codec.ts";
import { INGESTER_SUBSCRIPTION, TOPICS } from "../../src/event/topics.ts";
import { createIngester } from "../../src/ingester/ingester.ts";
import { createSystemClock } from "../../src/lib/clock.ts";
import { RetryableError } from "../../src/lib/errors.ts";
import { createSystemRandom } from "../../src/lib/random.ts";
import { retry } from "../../src/lib/retry.ts";
import { noMetrics, noTracer } from "../../src/lib/telemetry.ts";
import { describeWithBroker } from "../support/bus/broker.ts";
import { administer, newTenant } from "../support/bus/pulsar-tenant.ts";
import { eventually } from "../support/e2e/eventually.ts";
import { ScriptedIngestStore } from "../support/ingester/scripted-ingest-store.ts";
import { createRecordingMetrics } from "../support/recording-metrics.ts";
import { PODS } from "../support/store/messages.ts";
import { createTestLog } from "../support/vitest/test-log.ts";

/** For each cluster, more messages than the window holds of a cluster, by far. */
const MESSAGES = 600;
/** So many that the broker moves some of them to an ingester that joins. */
const BLOCKED = ["blocked-1", "blocked-2", "blocked-3", "blocked-4", "blocked-5"];
const OTHERS = 20;
const EACH = 20;

describeWithBroker("L11: blocked clusters on a real broker", (broker) => {
  const [clock, random, log] = [createSystemClock(), createSystemRandom(), createTestLog()];
  let bus: Bus;
  let producer: Producer;
  let stop: AbortController;

  beforeEach(async () => {
    stop = new AbortController();
    const { webSocketUrl, adminUrl } = broker();
    const tenant = newTenant();
    const admin = administer(adminUrl, tenant);
    await admin.createTenant(stop.signal);
    await admin.createNamespace(stop.signal, "main");
    await admin.createTopic(stop.signal, TOPICS.events, 2);
    await admin.createSubscription(stop.signal, TOPICS.events, INGESTER_SUBSCRIPTION);
    const runtime = { clock, random, log, metrics: noMetrics };
    bus = await openBus({ url: webSocketUrl, tenant }, { ...runtime, probeTopic: TOPICS.events });
    producer = await bus.createProducer(stop.signal, TOPICS.events);
  });
  afterEach(async () => {
    stop.abort();
    await bus.close();
  });

  const publish = (cluster: string, sequence: number): Promise<void> => {
    const value = create(BatchSchema, { type: BatchType.DEFAULT, resourceType: PODS });
    const content = {
      ...{ sequence: BigInt(sequence), publishTime: clock.now() },
      body: { case: "batch" as const, value },
    };
    const identity = { account: "acme", cluster, clusterUid: "uid", epoch: 1n };
    return producer.publish(stop.signal, encodeEvent(identity, content));
  };
  const publishAll = (cluster: string, from: number, to: number) =>
    Promise.all(Array.from({ length: to - from + 1 }, (_, index) => publish(cluster, from + index)));
  const linesOf = (cluster: string, count: number): string[] =>
    Array.from({ length: count }, (_, index) => `${cluster} ${index + 1} batch`);

  it("leave the others, and are applied once and in order after their lock, also if an ingester joins", {
    timeout: 120_000,
  }, async () => {
    let isLocked = true;
    const store = new ScriptedIngestStore();
    const metrics = createRecordingMetrics();
    store.onApply = ({ cluster }) => {
      if (isLocked && BLOCKED.includes(cluster)) {
        throw new RetryableError("lock not available");
      }
    };
    const appliedOf = (cluster: string): string[] =>
      store.applied.filter((line) => line.startsWith(`${cluster} `));
    // As the server does it, subscribes again after an error.
    const run = async (): Promise<void> => {
      const ingester = createIngester({ bus, store, clock, random, log, metrics, tracer: noTracer });
      const options = { clock, random, log, name: "the ingester" };
      await retry(stop.signal, options, () => ingester.run(stop.signal));
    };
    const running = [run()];
    await Promise.all(BLOCKED.map((cluster) => publishAll(cluster, 1, MESSAGES)));
    const others = Array.from({ length: OTHERS }, (_, index) => `c${index}`);
    await Promise.all(others.map((cluster) => publishAll(cluster, 1, EACH)));
    await eventually("the others to be applied", async () => {
      expect(store.applied).toHaveLength(OTHERS * EACH);
    });
    for (const cluster of others) {
      expect(appliedOf(cluster)).toEqual(linesOf(cluster, EACH));
    }
    running.push(run());
    isLocked = false;
    const total = MESSAGES + EACH;
    await Promise.all(BLOCKED.map((cluster) => publishAll(cluster, MESSAGES + 1, total)));
    await eventually("the blocked clusters to be applied", async () => {
      expect(Math.min(...BLOCKED.map((cluster) => appliedOf(cluster).length))).toBeGreaterThanOrEqual(total);
    });
    for (const cluster of BLOCKED) {
      expect(appliedOf(cluster)).toEqual(linesOf(cluster, total));
    }
    expect(metrics.total("evenkeel_ingester_dead_letters_total")).toBe(0);
    stop.abort();
    await Promise.allSettled(running);
  });
});
