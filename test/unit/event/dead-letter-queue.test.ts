import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Bus, type Consumer, type Delivery, ensureSubscription } from "../../../src/bus/bus.ts";
import { createMemoryBus } from "../../../src/bus/memory/memory-bus.ts";
import {
  createDeadLetterQueue,
  type DeadLetterQueue,
  DeadLettersLockedError,
  fromDeadLetter,
  type StoredDeadLetter,
  toDeadLetter,
} from "../../../src/event/dead-letter.ts";
import { DEAD_LETTER_SUBSCRIPTION, INGESTER_SUBSCRIPTION, TOPICS } from "../../../src/event/topics.ts";
import { NotFoundError } from "../../../src/lib/errors.ts";
import { ManualClock } from "../../support/manual-clock.ts";

const { signal } = new AbortController();
const original = { key: '["acme","c1"]', payload: Uint8Array.of(1, 2), properties: { account: "acme" } };

describe("dead letters", () => {
  let bus: Bus;
  let clock: ManualClock;
  let letters: DeadLetterQueue;
  let kept: number;
  let refuse: (topic: string) => boolean;

  beforeEach(async () => {
    refuse = () => false;
    bus = createMemoryBus({ outcomeFor: (topic) => (refuse(topic) ? "refuse" : "store") });
    clock = new ManualClock();
    await ensureSubscription(signal, bus, TOPICS.deadLetter, DEAD_LETTER_SUBSCRIPTION);
    await ensureSubscription(signal, bus, TOPICS.events, INGESTER_SUBSCRIPTION);
    const producer = await bus.createProducer(signal, TOPICS.deadLetter);
    kept = 3;
    for (const name of ["a", "b", "c"]) {
      const delivery = {
        ...original,
        redeliveryCount: 2,
        messageId: `9:${name}`,
        acknowledge: async () => {},
        redeliver: async () => {},
      };
      await producer.publish(signal, toDeadLetter(delivery, `cannot store ${name}`));
    }
    letters = createDeadLetterQueue({ bus, clock, count: async () => kept });
  });
  afterEach(async () => {
    await bus.close();
    expect(clock.pending).toBe(0);
  });

  const read = async (): Promise<StoredDeadLetter[]> => Array.fromAsync(letters.read(signal));
  const reasons = async (): Promise<string[]> => (await read()).map(({ reason }) => reason);
  const idOf = async (reason: string): Promise<string> =>
    (await read()).find((letter) => letter.reason === reason)?.id ?? "";
  const join = (topic: string, subscription: string): Promise<Consumer> =>
    bus.subscribe(signal, { topic, subscription, maxUnacknowledged: 10, maxPrefetched: 10 });

  it("can be read repeatedly, the oldest first", async () => {
    expect(await reasons()).toEqual(["cannot store a", "cannot store b", "cannot store c"]);
    const [letter] = await read();
    expect(letter).toMatchObject({
      message: original,
      reason: "cannot store a",
      sourcePosition: "9:a",
      redeliveryCount: 2,
    });
  });

  it("L14: without a payload are not retried, and stay until they are dropped", async () => {
    const producer = await bus.createProducer(signal, TOPICS.deadLetter);
    const delivery = { ...original, redeliveryCount: 0, messageId: "9:d" };
    const members = { acknowledge: async () => {}, redeliver: async () => {} };
    await producer.publish(signal, toDeadLetter({ ...delivery, ...members }, "d", { keepsPayload: false }));
    kept = 4;
    const id = await idOf("d");
    await expect(Array.fromAsync(letters.retry(signal, [id]))).rejects.toThrow(
      `dead letter ${id} has no payload to retry`,
    );
    expect(await reasons()).toContain("d");
    await Array.fromAsync(letters.drop(signal, [id]));
    kept = 3;
    expect(await reasons()).not.toContain("d");
  });

  it("stay in the topic if the reader stops early", async () => {
    for await (const letter of letters.read(signal)) {
      expect(letter.reason).toBe("cannot store a");
      break;
    }
    expect(await reasons()).toHaveLength(3);
  });

  it("are an empty list if there are none", async () => {
    kept = 0;
    expect(await read()).toEqual([]);
  });

  it("are dropped one by one, without the others", async () => {
    const id = await idOf("cannot store b");
    const dropped = await Array.fromAsync(letters.drop(signal, [id]));
    expect(dropped.map((letter) => letter.id)).toEqual([id]);
    kept = 2;
    expect(await reasons()).toEqual(["cannot store a", "cannot store c"]);
  });

  it("are published unchanged on the events topic by a retry, and then removed", async () => {
    const ids = [await idOf("cannot store c"), await idOf("cannot store a")];
    expect(await Array.fromAsync(letters.retry(signal, ids))).toHaveLength(2);
    kept = 1;
    expect(await reasons()).toEqual(["cannot store b"]);
    const events = (await join(TOPICS.events, INGESTER_SUBSCRIPTION)).deliveries(signal);
    const event: Delivery = (await events[Symbol.asyncIterator]().next()).value;
    expect([event.key, event.payload, event.properties]).toEqual(Object.values(original));
  });

  it("stay if the publish of a retry fails", async () => {
    refuse = (topic) => topic === TOPICS.events;
    const id = await idOf("cannot store a");
    await expect(Array.fromAsync(letters.retry(signal, [id]))).rejects.toThrow("refused");
    expect(await reasons()).toHaveLength(3);
  });

  it("are named in an error if they do not exist, after the others were handled", async () => {
    const id = await idOf("cannot store a");
    const dropped: string[] = [];
    const dropping = (async () => {
      for await (const letter of letters.drop(signal, ["nowhere", id])) {
        dropped.push(letter.id);
      }
    })();
    await expect(dropping).rejects.toThrow(NotFoundError);
    await expect(dropping).rejects.toThrow('no dead letter "nowhere"; list them with "evenkeel dlq list"');
    expect(dropped).toEqual([id]);
  });

  it("are counted in an error if another consumer holds them, after those that arrived", async () => {
    const other = await join(TOPICS.deadLetter, DEAD_LETTER_SUBSCRIPTION);
    const held = other.deliveries(signal)[Symbol.asyncIterator]();
    await held.next();
    const seen: string[] = [];
    const reading = (async () => {
      for await (const { reason } of letters.read(signal)) {
        seen.push(reason);
      }
    })();
    const refused = expect(reading).rejects.toThrow(DeadLettersLockedError);
    await clock.advance(5000);
    await refused;
    await expect(reading).rejects.toThrow("dead letters: 3 of 3 did not arrive within 5000 ms");
    await other.close();
    expect(await reasons()).toHaveLength(3);
  });

  it("end when the signal aborts", async () => {
    const stop = new AbortController();
    kept = 4;
    const reading = Array.fromAsync(letters.read(stop.signal));
    const refused = expect(reading).rejects.toThrow("enough");
    await clock.advance(10);
    stop.abort(new Error("enough"));
    await refused;
  });
});

describe("L14: a dead letter", () => {
  const delivery: Delivery = {
    ...original,
    redeliveryCount: 2,
    messageId: "9:1",
    acknowledge: async () => {},
    redeliver: async () => {},
  };

  it("without its payload has the position, the reason and the size", () => {
    const letter = fromDeadLetter(toDeadLetter(delivery, "no", { keepsPayload: false }));
    expect(letter).toEqual({
      message: { ...original, payload: new Uint8Array() },
      reason: "no",
      sourcePosition: "9:1",
      redeliveryCount: 2,
      omittedBytes: 2,
    });
  });

  it.each([
    ["a payload above the limit of the bus", { payload: new Uint8Array(1_001) }],
    ["a long key", { key: "k".repeat(10_000) }],
    ["long properties", { properties: { a: "x".repeat(100_000) } }],
    [
      "many properties",
      { properties: Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [i, "x"])) },
    ],
  ])("of any message fits into a message: %s", (_, change) => {
    const letter = toDeadLetter({ ...delivery, ...change }, "r\u0000".repeat(100_000), {
      maxMessageBytes: 1_000,
    });
    expect(letter.payload.byteLength).toBeLessThanOrEqual(1_000);
    expect(JSON.stringify({ ...letter, payload: undefined }).length).toBeLessThan(16 * 1024);
    expect(fromDeadLetter(letter)).toMatchObject({ sourcePosition: "9:1", redeliveryCount: 2 });
  });
});

describe("fromDeadLetter", () => {
  it("reads a message that another program published", () => {
    expect(fromDeadLetter({ key: "k", payload: Uint8Array.of(1) })).toEqual({
      message: { key: "k", payload: Uint8Array.of(1), properties: {} },
      reason: "",
      sourcePosition: "",
      redeliveryCount: 0,
    });
  });
});
