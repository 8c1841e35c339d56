import { describe, expect, it } from "vitest";
import type { Delivery } from "../../../../../src/bus/bus.ts";
import { NativeConsumer } from "../../../../../src/bus/pulsar/native/consumer.ts";
import type { PulsarConsumer, PulsarMessage } from "../../../../../src/bus/pulsar/native/pulsar-client.ts";
import { RetryableError } from "../../../../../src/lib/errors.ts";
import { ManualClock } from "../../../../support/manual-clock.ts";

const { signal } = new AbortController();
const options = { topic: "main/events", subscription: "ingester", maxUnacknowledged: 10, maxPrefetched: 4 };

/** Creates a consumer whose messages and connection the test controls. */
function createScriptedConsumer() {
  const messages: PulsarMessage[] = [];
  const waiting: PromiseWithResolvers<PulsarMessage>[] = [];
  const acknowledged: string[] = [];
  const givenBack: string[] = [];
  const state = { isConnected: true, closed: 0, received: 0 };
  const consumer: PulsarConsumer = {
    async receive() {
      state.received += 1;
      const message = messages.shift();
      if (message !== undefined) {
        return message;
      }
      const later = Promise.withResolvers<PulsarMessage>();
      waiting.push(later);
      return later.promise;
    },
    async acknowledgeId(id) {
      acknowledged.push(id.toString());
      return null;
    },
    negativeAcknowledgeId(id) {
      givenBack.push(id.toString());
    },
    isConnected: () => state.isConnected,
    async close() {
      state.closed += 1;
      waiting.shift()?.reject(new Error("Failed to receive message: AlreadyClosed"));
      return null;
    },
  };
  return {
    consumer,
    state,
    acknowledged,
    givenBack,
    deliver(entry: number, partition = -1) {
      const message: PulsarMessage = {
        getPartitionKey: () => "k",
        getData: () => Buffer.from([entry]),
        getProperties: () => Object.assign([] as unknown as Record<string, string>, { a: "1" }),
        getRedeliveryCount: () => 0,
        getMessageId: () => ({ toString: () => `(7,${entry},${partition},-1)` }),
      };
      const next = waiting.shift();
      if (next === undefined) {
        messages.push(message);
      } else {
        next.resolve(message);
      }
    },
  };
}

function open(changed: Partial<typeof options> = {}) {
  const scripted = createScriptedConsumer();
  const clock = new ManualClock();
  const cutOffs: number[] = [];
  const consumer = new NativeConsumer(scripted.consumer, { ...options, ...changed }, clock, () =>
    cutOffs.push(1),
  );
  const deliveries = consumer.deliveries(signal)[Symbol.asyncIterator]();
  const next = async (): Promise<Delivery> => (await deliveries.next()).value as Delivery;
  return { ...scripted, native: consumer, clock, cutOffs, deliveries, next };
}

describe("NativeConsumer", () => {
  it("each delivery is a plain object with its message ID", async () => {
    const { deliver, next, native } = open();
    deliver(3);
    deliver(4, 2);
    expect({ ...(await next()) }).toEqual({
      key: "k",
      payload: Buffer.from([3]),
      properties: { a: "1" },
      redeliveryCount: 0,
      messageId: "7:3",
      acknowledge: expect.any(Function),
      redeliver: expect.any(Function),
    });
    expect((await next()).messageId).toBe("7:4:2");
    await native.close();
  });

  it("a consumer receives no message from the client above its unacknowledged limit", async () => {
    const { deliver, next, native, state, acknowledged } = open({ maxUnacknowledged: 1 });
    deliver(1);
    deliver(2);
    const first = await next();
    const second = next();
    expect(state.received).toBe(1);
    await first.acknowledge();
    await first.acknowledge();
    expect((await second).messageId).toBe("7:2");
    expect(acknowledged).toEqual(["(7,1,-1,-1)"]);
    await native.close();
  });

  it("L11: a message that was given back does not count, and its repeated arrival is no cut-off", async () => {
    const { deliver, next, native, acknowledged, givenBack, cutOffs } = open({ maxUnacknowledged: 1 });
    deliver(1);
    const first = await next();
    await first.redeliver();
    await first.redeliver();
    await first.acknowledge();
    expect([givenBack, acknowledged]).toEqual([["(7,1,-1,-1)"], []]);
    deliver(1);
    await (await next()).acknowledge();
    expect([acknowledged, cutOffs]).toEqual([["(7,1,-1,-1)"], []]);
    await native.close();
  });

  it("a consumer is cut off when its connection is lost, also if the client reconnects", async () => {
    const { next, deliver, clock, state, cutOffs, native, acknowledged } = open();
    deliver(1);
    const held = await next();
    const waiting = next();
    const refused = expect(waiting).rejects.toThrow(RetryableError);
    state.isConnected = false;
    await clock.advance(50);
    await refused;
    await expect(waiting).rejects.toThrow("ingester on main/events was cut off: its connection is lost");
    state.isConnected = true;
    await held.acknowledge();
    await native.close();
    expect([cutOffs.length, state.closed, acknowledged, clock.pending]).toEqual([1, 1, [], 0]);
  });

  it("a consumer is cut off when an unacknowledged message arrives again", async () => {
    const { deliver, next, native, state, cutOffs } = open();
    deliver(1);
    deliver(1);
    await next();
    await expect(next()).rejects.toThrow("an unacknowledged message was delivered again");
    expect([cutOffs.length, state.closed]).toEqual([1, 1]);
    await native.close();
  });

  it("an acknowledged message is yielded again if its acknowledgement was lost", async () => {
    const { deliver, next, native } = open();
    deliver(1);
    deliver(1);
    await (await next()).acknowledge();
    expect((await next()).messageId).toBe("7:1");
    await native.close();
  });

  it("a message stays for the next reader if the waiting one gave up", async () => {
    const { deliver, native } = open();
    const impatient = new AbortController();
    const waiting = native.deliveries(impatient.signal)[Symbol.asyncIterator]().next();
    impatient.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
    deliver(1);
    const { value } = await native.deliveries(signal)[Symbol.asyncIterator]().next();
    expect(value?.messageId).toBe("7:1");
    await native.close();
  });
});
