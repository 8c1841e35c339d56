import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BatchSchema, BatchType } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import type { Event } from "../../../gen/proto/evenkeel/v1/event_pb.ts";
import { ResourcesReconciledSchema } from "../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import { ScopeDeclaredSchema } from "../../../gen/proto/evenkeel/v1/scope_pb.ts";
import type { Delivery, Producer } from "../../../src/bus/bus.ts";
import { createMemoryBus, type MemoryBus, type PublishOutcome } from "../../../src/bus/memory/memory-bus.ts";
import { decodeEvent, encodeEvent } from "../../../src/event/codec.ts";
import { packBatch } from "../../../src/event/split-batch.ts";
import { INGESTER_SUBSCRIPTION, TOPICS } from "../../../src/event/topics.ts";
import { createIngester, type IngesterOptions } from "../../../src/ingester/ingester.ts";
import { NotRedeliveredError } from "../../../src/ingester/keyed-window.ts";
import { untilAborted } from "../../../src/lib/abort.ts";
import { RetryableError, TerminalError } from "../../../src/lib/errors.ts";
import { createSeededRandom } from "../../../src/lib/random.ts";
import { noTracer } from "../../../src/lib/telemetry.ts";
import type { QuarantinedItem } from "../../../src/store/ingest-store.ts";
import { StatementError } from "../../../src/store/postgres/sql-error.ts";
import { ScriptedIngestStore } from "../../support/ingester/scripted-ingest-store.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { createRecordingMetrics, type RecordingMetrics } from "../../support/recording-metrics.ts";
import { PODS, put } from "../../support/store/messages.ts";
import { createTestLog } from "../../support/vitest/test-log.ts";

const SCOPE: Event["body"] = {
  case: "scopeDeclared",
  value: create(ScopeDeclaredSchema, { generation: 1n }),
};
const END: Event["body"] = {
  case: "resourcesReconciled",
  value: create(ResourcesReconciledSchema, {
    run: { runId: "6f1c1b8e-6f0b-4c8e-9b9c-0d0b8f6f9a11", attempt: 1 },
    ends: [{ resourceType: PODS, firstSequence: 1n }],
  }),
};

function batchOf(type: BatchType = BatchType.DEFAULT): Event["body"] {
  return { case: "batch", value: create(BatchSchema, { type, resourceType: PODS }) };
}

describe("an ingester", () => {
  let clock: ManualClock;
  let bus: MemoryBus;
  let store: ScriptedIngestStore;
  let stop: AbortController;
  let metrics: RecordingMetrics;
  let producer: Producer;
  let running: Promise<void>;
  let outcomeFor: (topic: string) => PublishOutcome;

  beforeEach(async () => {
    clock = new ManualClock();
    outcomeFor = () => "store";
    bus = createMemoryBus({ outcomeFor: (topic) => outcomeFor(topic) });
    store = new ScriptedIngestStore();
    stop = new AbortController();
    metrics = createRecordingMetrics();
    producer = await bus.createProducer(stop.signal, TOPICS.events);
    await (await subscribe(TOPICS.events, INGESTER_SUBSCRIPTION)).close();
    running = Promise.resolve();
  });
  afterEach(async () => {
    stop.abort();
    await running;
    expect(clock.pending).toBe(0);
    await bus.close();
  });

  const subscribe = (topic: string, subscription: string) =>
    bus.subscribe(stop.signal, { topic, subscription, maxUnacknowledged: 2000, maxPrefetched: 16 });
  const start = (more: Partial<IngesterOptions> = {}): void => {
    const random = createSeededRandom(1);
    const [log, tracer] = [createTestLog("ingester"), noTracer];
    const windowLimits = { maxItems: 8, maxBytes: 2_000, maxItemsPerKey: 2, maxBytesPerKey: 1_000 };
    running = createIngester({ bus, store, clock, random, log, metrics, tracer, windowLimits, ...more }).run(
      stop.signal,
    );
    running.catch(() => {});
  };
  const publish = async (cluster: string, sequence: bigint, body: Event["body"]): Promise<void> => {
    const identity = { account: "acme", cluster, clusterUid: "uid", epoch: 7n };
    await producer.publish(stop.signal, encodeEvent(identity, { sequence, publishTime: clock.now(), body }));
  };
  const advance = (): Promise<void> => clock.advance(0);
  /** Returns the messages for the next consumer: all unacknowledged ones, after this ingester has left. */
  const leftOver = async (): Promise<Delivery[]> => {
    stop.abort();
    await running;
    stop = new AbortController();
    return await drain(TOPICS.events, INGESTER_SUBSCRIPTION);
  };
  const drain = async (topic: string, subscription: string): Promise<Delivery[]> => {
    const consumer = await subscribe(topic, subscription);
    const enough = new AbortController();
    const found: Delivery[] = [];
    const reading = (async () => {
      for await (const delivery of consumer.deliveries(enough.signal)) {
        found.push(delivery);
      }
    })();
    await clock.advance(0);
    enough.abort(new Error("enough"));
    await expect(reading).rejects.toThrow("enough");
    await consumer.close();
    return found;
  };
  const deadLetters = () => drain(TOPICS.deadLetter, "test");

  it("applies each type of event, in the cluster's order, and acknowledges it", async () => {
    start();
    await publish("c1", 1n, SCOPE);
    await publish("c1", 2n, batchOf());
    await publish("c1", 3n, END);
    await advance();
    expect(store.applied).toEqual(["c1 1 scope", "c1 2 batch", "c1 3 reconciled"]);
    expect(await leftOver()).toEqual([]);
  });

  it("acknowledges only after the store has committed (R19)", async () => {
    const commit = Promise.withResolvers<void>();
    store.onApply = () => commit.promise;
    start();
    await publish("c1", 1n, batchOf());
    await advance();
    const leaving = leftOver();
    await clock.advance(5_000);
    commit.reject(new RetryableError("the connection was lost"));
    const left = await leaving;
    expect(left).toHaveLength(1);
    expect(left[0]?.redeliveryCount).toBe(1);
  });

  it("blocks a cluster whose store is unreachable, with backoff and in order, and continues with another", async () => {
    let isGone = true;
    const attempts: number[] = [];
    store.onApply = ({ cluster, sequence }) => {
      if (cluster === "c1" && isGone) {
        attempts.push(Number(sequence));
        throw new RetryableError("Postgres is not available");
      }
    };
    start();
    for (const sequence of [1n, 2n, 3n]) {
      await publish("c1", sequence, batchOf());
      await publish("c2", sequence, batchOf());
    }
    await clock.advance(60_000);
    expect(store.applied).toEqual(["c2 1 batch", "c2 2 batch", "c2 3 batch"]);
    expect(new Set(attempts)).toEqual(new Set([1]));
    expect(attempts.length).toBeGreaterThan(5);
    expect(attempts.length).toBeLessThan(50);
    isGone = false;
    await clock.advance(10_000);
    expect(store.applied.slice(3)).toEqual(["c1 1 batch", "c1 2 batch", "c1 3 batch"]);
    expect(await leftOver()).toEqual([]);
    expect(await deadLetters()).toEqual([]);
  });

  describe("L11: a blocked cluster leaves room for the others, and is applied in order when its lock is gone", () => {
    let isLocked: boolean;
    beforeEach(async () => {
      await bus.close();
      bus = createMemoryBus({ limits: { maxItems: 100_000, maxBytes: 2 ** 30 } });
      producer = await bus.createProducer(stop.signal, TOPICS.events);
      await (await subscribe(TOPICS.events, INGESTER_SUBSCRIPTION)).close();
      await (await subscribe(TOPICS.deadLetter, "test")).close();
      isLocked = true;
      store.onApply = ({ cluster }) => {
        if (cluster === "c1" && isLocked) {
          throw new RetryableError("lock not available");
        }
      };
    });
    const startWithDefaults = (): void => {
      const [random, log, tracer] = [createSeededRandom(1), createTestLog("ingester"), noTracer];
      running = createIngester({ bus, store, clock, random, log, metrics, tracer }).run(stop.signal);
      running.catch(() => {});
    };

    it.each([
      ["17 messages of 3.9 MiB", 17, 3.9 * 1024 * 1024],
      ["10,000 small ones", 10_000, 10],
    ])("%s", async (_, count, bytes) => {
      const item = put("a/x", { content: "x".repeat(bytes) });
      const body: Event["body"] = {
        case: "batch",
        value: create(BatchSchema, { type: BatchType.DEFAULT, resourceType: PODS, items: [item] }),
      };
      startWithDefaults();
      for (let sequence = 1n; sequence <= count; sequence += 1n) {
        await publish("c1", sequence, body);
      }
      for (let sequence = 1n; sequence <= 100n; sequence += 1n) {
        await publish("c2", sequence, batchOf());
      }
      await clock.advance(1_000);
      expect(store.applied).toHaveLength(100);
      expect(metrics.read("evenkeel_ingester_held_bytes")).toBeLessThan(8 * 1024 * 1024);
      isLocked = false;
      await clock.advance(20_000);
      const expected = Array.from({ length: count }, (_each, index) => `c1 ${index + 1} batch`);
      expect(store.applied.slice(100)).toEqual(expected);
      expect(await leftOver()).toEqual([]);
      expect(await deadLetters()).toEqual([]);
    });

    it("compressed batches, by their expanded size", async () => {
      const content = "x".repeat(1024 * 1024);
      const batch = create(BatchSchema, {
        ...{ type: BatchType.DEFAULT, resourceType: PODS },
        items: [put("a/x", { content })],
      });
      const [body] = packBatch(batch, { maxMessageBytes: 100_000, compress: true });
      startWithDefaults();
      for (let sequence = 1n; body !== undefined && sequence <= 100n; sequence += 1n) {
        await publish("c1", sequence, body);
      }
      await advance();
      const held = metrics.read("evenkeel_ingester_held_bytes");
      expect(held).toBeGreaterThan(1024 * 1024);
      expect(held).toBeLessThan(11 * 1024 * 1024);
    });
  });

  it("receives no more than it may hold while it works", async () => {
    const commits: PromiseWithResolvers<void>[] = [];
    store.onApply = () => {
      const commit = Promise.withResolvers<void>();
      commits.push(commit);
      return commit.promise;
    };
    start();
    for (let cluster = 1; cluster <= 12; cluster++) {
      await publish(`c${cluster}`, 1n, batchOf());
    }
    await advance();
    expect(commits).toHaveLength(8);
    expect(metrics.read("evenkeel_ingester_held_messages")).toBe(8);
    commits[0]?.resolve();
    await advance();
    expect(commits).toHaveLength(9);
    store.onApply = () => {};
    for (const commit of commits) {
      commit.resolve();
    }
    await advance();
    expect(store.applied).toHaveLength(12);
  });

  it("publishes a message that can never be applied as a dead letter with the reason, acknowledges it and continues", async () => {
    await (await subscribe(TOPICS.deadLetter, "test")).close();
    store.onApply = ({ sequence }) => {
      if (sequence === 1n) {
        throw new TerminalError("an item of a batch names no object");
      }
    };
    start();
    await publish("c1", 1n, batchOf());
    await publish("c1", 2n, batchOf());
    await publish("c1", 3n, batchOf(BatchType.RECONCILIATION));
    await publish("c1", 4n, { case: undefined });
    await advance();
    const letters = await deadLetters();
    expect(
      letters.map(({ key, properties }) => [key, properties["sequence"], properties["dead-letter-reason"]]),
    ).toEqual([
      ['["acme","c1"]', "1", "an item of a batch names no object"],
      [
        '["acme","c1"]',
        "3",
        "batch of type BATCH_TYPE_RECONCILIATION: this program does not process it; upgrade it, or register a handler",
      ],
      [
        '["acme","c1"]',
        "4",
        expect.stringMatching(/^not an evenkeel\.v1\.Event .*: body: exactly one field/),
      ],
    ]);
    expect(store.applied).toEqual(["c1 2 batch"]);
    expect(await leftOver()).toEqual([]);
  });

  it("judges a batch of a dry run instead of applying it (R82)", async () => {
    start();
    await publish("c1", 1n, batchOf(BatchType.DRY_RUN));
    await advance();
    expect(store.applied).toEqual(["c1 1 judged"]);
    expect(await leftOver()).toEqual([]);
  });

  it("applies a batch of a further type with its handler, in the cluster's order", async () => {
    const extra = 77 as BatchType;
    start({
      batchHandlers: {
        [extra]: async (_signal, { cluster, sequence }) => {
          store.applied.push(`${cluster} ${sequence} extra`);
          return { quarantined: [] };
        },
      },
    });
    await publish("c1", 1n, batchOf());
    await publish("c1", 2n, batchOf(extra));
    await publish("c1", 3n, batchOf());
    await advance();
    expect(store.applied).toEqual(["c1 1 batch", "c1 2 extra", "c1 3 batch"]);
    expect(await leftOver()).toEqual([]);
  });

  it("refuses a batch of an unknown type by its number, and never applies it as DEFAULT", async () => {
    await (await subscribe(TOPICS.deadLetter, "test")).close();
    start();
    await publish("c1", 1n, batchOf(77 as BatchType));
    await advance();
    const [letter] = await deadLetters();
    expect(letter?.properties["dead-letter-reason"]).toContain("batch of type 77");
    expect(store.applied).toEqual([]);
  });

  it.each([
    ["an SQLSTATE", new StatementError("an internal error", "XX000")],
    ["a text", new Error("anything")],
    ["a programming error", new TypeError("x is undefined")],
  ])("retries an unknown error, counts it and keeps no dead letter: %s", async (_, error) => {
    await (await subscribe(TOPICS.deadLetter, "test")).close();
    store.onApply = ({ sequence }, attempt) => {
      if (sequence === 1n && attempt <= 3) {
        throw error;
      }
    };
    start();
    await publish("c1", 1n, batchOf());
    await publish("c1", 2n, batchOf());
    await clock.advance(10_000);
    expect(store.applied).toEqual(["c1 1 batch", "c1 2 batch"]);
    expect(metrics.total("evenkeel_ingester_unknown_errors_total")).toBe(3);
    expect(await deadLetters()).toEqual([]);
    expect(await leftOver()).toEqual([]);
  });

  it("publishes a payload that is no event as a dead letter, unchanged", async () => {
    await (await subscribe(TOPICS.deadLetter, "test")).close();
    start();
    const payload = Uint8Array.from([255, 255, 1]);
    await producer.publish(stop.signal, { key: "k", payload });
    await advance();
    const [letter] = await deadLetters();
    expect(letter?.payload).toEqual(payload);
    expect(letter?.properties["dead-letter-reason"]).toMatch(/^not an evenkeel\.v1\.Event \(3 bytes\): /);
  });

  it("publishes the message of quarantined items as a dead letter too, and names the first", async () => {
    await (await subscribe(TOPICS.deadLetter, "test")).close();
    store.outcome = () => ({
      applied: 3,
      quarantined: [
        { namespace: "a", name: "huge", reason: "5 MiB", announced: true },
        { namespace: "a", name: "x", reason: "22P05", announced: false },
        { namespace: "a", name: "y", reason: "22P05", announced: false },
      ],
    });
    start();
    await publish("c1", 1n, batchOf());
    await advance();
    expect((await deadLetters()).map(({ properties }) => properties["dead-letter-reason"])).toEqual([
      "2 objects cannot be stored, first a/x: 22P05",
    ]);
    expect(await leftOver()).toEqual([]);
  });

  it("publishes no dead letter of items without content: it would contain no more than their rows", async () => {
    await (await subscribe(TOPICS.deadLetter, "test")).close();
    store.outcome = () => ({
      applied: 1,
      quarantined: [{ namespace: "a", name: "huge", reason: "5 MiB", announced: true }],
    });
    start();
    await publish("c1", 1n, batchOf());
    await advance();
    expect(await deadLetters()).toEqual([]);
    expect(await leftOver()).toEqual([]);
  });

  it("L14: the dead letters of one account leave room for those of another, and hold up neither", async () => {
    await (await subscribe(TOPICS.deadLetter, "test")).close();
    store.onApply = () => {
      throw new TerminalError("never");
    };
    start();
    const content = "x".repeat(100 * 1024);
    const value = create(BatchSchema, {
      ...{ type: BatchType.DEFAULT, resourceType: PODS },
      items: [put("a/x", { content })],
    });
    for (let sequence = 1n; sequence <= 1_200n; sequence += 1n) {
      await publish("c1", sequence, { case: "batch", value });
    }
    const other = { account: "other", cluster: "c1", clusterUid: "uid", epoch: 7n };
    const content1 = { sequence: 1n, publishTime: clock.now(), body: batchOf() };
    await producer.publish(stop.signal, encodeEvent(other, content1));
    await clock.advance(1_000);
    const letters = await deadLetters();
    const payloads = letters.filter(({ payload }) => payload.byteLength > 0);
    expect(letters).toHaveLength(1_001);
    expect(payloads).toHaveLength(82);
    expect(payloads.filter(({ key }) => key === '["other","c1"]')).toHaveLength(1);
    expect(metrics.total("evenkeel_ingester_omitted_dead_letters_total")).toBe(200);
    expect(await leftOver()).toEqual([]);
  });

  const REPLIES = "replies/test";
  const refuse = (count: number, reason = "not canonical"): void => {
    const quarantined = Array.from({ length: count }, (_, index): QuarantinedItem => {
      return { namespace: "a", name: `x${index}`, reason, announced: false };
    });
    const announced = { namespace: "a", name: "huge", reason: "5 MiB", announced: true };
    store.outcome = () => ({
      applied: count + 1,
      quarantined: [announced, ...quarantined],
      replyTopic: REPLIES,
    });
  };
  const notices = async () =>
    (await drain(REPLIES, "test")).map((delivery) => {
      const { body, ...event } = decodeEvent(delivery);
      return { ...event, notice: body.case === "refusedItems" ? body.value : undefined };
    });
  /** Replaces the publishing to the reply topic. */
  const onNotice = (publishNotice: Producer["publish"]): void => {
    const createProducer = bus.createProducer.bind(bus);
    bus.createProducer = async (signal, topic) => {
      const opened = await createProducer(signal, topic);
      return topic === REPLIES ? { ...opened, publish: publishNotice } : opened;
    };
  };

  it("R94: publishes a notice of refused items to the reply topic of the session", async () => {
    await (await subscribe(REPLIES, "test")).close();
    refuse(2);
    start();
    await publish("c1", 4n, {
      case: "batch",
      value: create(BatchSchema, {
        type: BatchType.DEFAULT,
        resourceType: { version: "v1", resource: "pods" },
      }),
    });
    await advance();
    const published = await notices();
    expect(published).toMatchObject([
      {
        account: "acme",
        cluster: "c1",
        epoch: 7n,
        sequence: 0n,
        notice: {
          sequence: 4n,
          resourceType: { version: "v1", resource: "pods" },
          total: 2,
          items: [
            { ref: { namespace: "a", name: "x0" }, reason: "not canonical" },
            { ref: { namespace: "a", name: "x1" }, reason: "not canonical" },
          ],
        },
      },
    ]);
  });

  it("R94: a notice has at most 100 items with short reasons, and the number of all", async () => {
    await (await subscribe(REPLIES, "test")).close();
    refuse(150, "\u00e9\ud800".repeat(1_000));
    start();
    await publish("c1", 1n, batchOf());
    await advance();
    const [{ notice } = { notice: undefined }] = await notices();
    expect(notice?.total).toBe(150);
    expect(notice?.items).toHaveLength(100);
    expect(Buffer.byteLength(notice?.items[0]?.reason ?? "")).toBeLessThanOrEqual(1024);
  });

  it("R94: publishes no notice of items that arrived without content", async () => {
    await (await subscribe(REPLIES, "test")).close();
    refuse(0);
    start();
    await publish("c1", 1n, batchOf());
    await advance();
    expect(await notices()).toEqual([]);
  });

  it("R94: a notice that the bus refuses fails no batch, and is not repeated", async () => {
    await (await subscribe(REPLIES, "test")).close();
    let refusals = 0;
    outcomeFor = (topic) => {
      refusals += topic === REPLIES ? 1 : 0;
      return topic === REPLIES ? "refuse" : "store";
    };
    refuse(1);
    start();
    await publish("c1", 1n, batchOf());
    await publish("c1", 2n, batchOf());
    await clock.advance(30_000);
    expect(store.applied).toEqual(["c1 1 batch", "c1 2 batch"]);
    expect(refusals).toBe(2);
    expect(metrics.total("evenkeel_ingester_failed_attempts_total")).toBe(0);
    expect(await leftOver()).toEqual([]);
  });

  it("R94: notices that the bus does not answer delay no batch, are bounded, and end after 5 s", async () => {
    let waiting = 0;
    onNotice(async (signal) => {
      waiting += 1;
      try {
        await untilAborted(AbortSignal.any([signal, stop.signal]));
        signal.throwIfAborted();
      } finally {
        waiting -= 1;
      }
    });
    refuse(1);
    start();
    for (let sequence = 1n; sequence <= 40n; sequence += 1n) {
      await publish("c1", sequence, batchOf());
    }
    await advance();
    const expected = Array.from({ length: 40 }, (_, index) => `c1 ${index + 1} batch`);
    expect(store.applied).toEqual(expected);
    expect(waiting).toBe(16);
    await clock.advance(5_000);
    expect(waiting).toBe(0);
    await publish("c1", 41n, batchOf());
    await advance();
    expect(waiting).toBe(1);
    expect(await leftOver()).toEqual([]);
    expect(waiting).toBe(0);
  });

  it.each(["refuse", "storeUnknown", "loseUnknown"] as const)(
    "does not acknowledge before the dead letter is kept: %s",
    async (fate) => {
      await (await subscribe(TOPICS.deadLetter, "test")).close();
      let failures = 3;
      outcomeFor = (topic) => (topic === TOPICS.deadLetter && failures-- > 0 ? fate : "store");
      store.onApply = () => {
        throw new TerminalError("never");
      };
      start();
      await publish("c1", 1n, batchOf());
      await clock.advance(30_000);
      expect((await deadLetters()).length).toBe(fate === "storeUnknown" ? 4 : 1);
      expect(await leftOver()).toEqual([]);
    },
  );

  it("retries the dead-letter topic after every error, and drops nothing", async () => {
    await (await subscribe(TOPICS.deadLetter, "test")).close();
    const createProducer = bus.createProducer.bind(bus);
    let failures = 3;
    bus.createProducer = (signal, topic) =>
      failures-- > 0 ? Promise.reject(new TerminalError("not authorized")) : createProducer(signal, topic);
    store.onApply = ({ sequence }) => {
      if (sequence === 1n) {
        throw new TerminalError("never");
      }
    };
    start();
    await publish("c1", 1n, batchOf());
    await publish("c1", 2n, batchOf());
    await advance();
    expect(store.applied).toEqual([]);
    await clock.advance(30_000);
    expect(await deadLetters()).toHaveLength(1);
    expect(store.applied).toEqual(["c1 2 batch"]);
    expect(await leftOver()).toEqual([]);
  });

  it("rejects when the bus closes its consumer, and applies redelivered messages in order", async () => {
    const gate = Promise.withResolvers<void>();
    store.onApply = ({ sequence }) => (sequence === 2n ? gate.promise : undefined);
    start();
    for (const sequence of [1n, 2n, 3n, 4n]) {
      await publish("c1", sequence, batchOf());
    }
    await advance();
    bus.cutOff(TOPICS.events, INGESTER_SUBSCRIPTION);
    const rejected = expect(running).rejects.toThrow(RetryableError);
    gate.resolve();
    await rejected;
    // The delivery in work was committed, and its acknowledgement was lost; no later work was started.
    expect(store.applied).toEqual(["c1 1 batch", "c1 2 batch"]);
    start();
    await advance();
    expect(store.applied.slice(2)).toEqual(["c1 2 batch", "c1 3 batch", "c1 4 batch"]);
    expect(await leftOver()).toEqual([]);
  });

  it("finishes its deliveries when it is stopped, and receives no more", async () => {
    const gate = Promise.withResolvers<void>();
    store.onApply = () => gate.promise;
    start();
    await publish("c1", 1n, batchOf());
    await publish("c1", 2n, batchOf());
    await publish("c2", 1n, batchOf());
    await advance();
    let isEnded = false;
    const ending = running.then(() => {
      isEnded = true;
    });
    stop.abort();
    await advance();
    expect(isEnded).toBe(false);
    stop = new AbortController();
    await publish("c2", 2n, batchOf());
    gate.resolve();
    await advance();
    await ending;
    expect(store.applied.toSorted()).toEqual(["c1 1 batch", "c1 2 batch", "c2 1 batch"]);
    expect((await leftOver()).map(({ redeliveryCount }) => redeliveryCount)).toEqual([0]);
  });

  it("L11: finishes its deliveries when it is stopped while one does not arrive again", async () => {
    const gates = { c1: Promise.withResolvers<void>(), c2: Promise.withResolvers<void>() };
    store.onApply = ({ cluster }) => gates[cluster as "c1" | "c2"].promise;
    const join = bus.subscribe.bind(bus);
    bus.subscribe = async (signal, options) => {
      const consumer = await join(signal, options);
      return {
        ...consumer,
        async *deliveries(until) {
          for await (const delivery of consumer.deliveries(until)) {
            yield { ...delivery, redeliver: async () => {} };
          }
        },
      };
    };
    for (let sequence = 1n; sequence <= 3n; sequence += 1n) {
      await publish("c1", sequence, batchOf());
    }
    await publish("c2", 1n, batchOf());
    await publish("c2", 2n, batchOf());
    start();
    await advance();
    gates.c1.resolve();
    await advance();
    expect(store.applied).toEqual(["c1 1 batch", "c1 2 batch"]);
    stop.abort();
    await advance();
    gates.c2.resolve();
    await advance();
    await running;
    stop = new AbortController();
    expect(store.applied.slice(2)).toEqual(["c2 1 batch", "c2 2 batch"]);
    expect((await leftOver()).map(({ key }) => key)).toEqual(['["acme","c1"]']);
  });

  it("L11: subscribes again if a deferred message does not arrive", async () => {
    const join = bus.subscribe.bind(bus);
    const gate = Promise.withResolvers<void>();
    store.onApply = () => gate.promise;
    let isLost = true;
    bus.subscribe = async (signal, options) => {
      const consumer = await join(signal, options);
      return {
        ...consumer,
        async *deliveries(until) {
          for await (const delivery of consumer.deliveries(until)) {
            yield isLost ? { ...delivery, redeliver: async () => {} } : delivery;
          }
        },
      };
    };
    for (let sequence = 1n; sequence <= 5n; sequence += 1n) {
      await publish("c1", sequence, batchOf());
    }
    start();
    await advance();
    gate.resolve();
    await clock.advance(5_000);
    await expect(running).rejects.toThrow(NotRedeliveredError);
    isLost = false;
    start();
    await advance();
    expect(store.applied).toEqual(Array.from({ length: 5 }, (_, index) => `c1 ${index + 1} batch`));
    expect(await leftOver()).toEqual([]);
  });

  it("leaves blocked deliveries to the next consumer when it is stopped", async () => {
    store.onApply = ({ cluster }) => {
      if (cluster === "c1") {
        throw new RetryableError("lock not available");
      }
    };
    start();
    await publish("c1", 1n, batchOf());
    await publish("c1", 2n, batchOf());
    await publish("c2", 1n, batchOf());
    await advance();
    stop.abort();
    await advance();
    await running;
    stop = new AbortController();
    expect(store.applied).toEqual(["c2 1 batch"]);
    expect(await leftOver()).toHaveLength(2);
  });

  it("stops finishing after 5 s: it waits for the current statement, and starts nothing more", async () => {
    const gate = Promise.withResolvers<void>();
    store.onApply = () => gate.promise;
    start();
    await publish("c1", 1n, batchOf());
    await publish("c1", 2n, batchOf());
    await advance();
    stop.abort();
    await clock.advance(5_000);
    gate.resolve();
    await advance();
    await running;
    stop = new AbortController();
    expect(store.applied).toEqual(["c1 1 batch"]);
    expect(await leftOver()).toHaveLength(1);
  });
});
