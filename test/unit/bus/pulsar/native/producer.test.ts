import { describe, expect, it } from "vitest";
import { PublishRefusedError, PublishUnknownError } from "../../../../../src/bus/bus.ts";
import { createBusMetrics } from "../../../../../src/bus/metrics.ts";
import { MAX_MESSAGES_IN_FLIGHT, NativeProducer } from "../../../../../src/bus/pulsar/native/producer.ts";
import type { PulsarProducer } from "../../../../../src/bus/pulsar/native/pulsar-client.ts";
import { RetryableError } from "../../../../../src/lib/errors.ts";
import { noMetrics } from "../../../../../src/lib/telemetry.ts";
import { ManualClock } from "../../../../support/manual-clock.ts";

const { signal } = new AbortController();
const message = (payload: Uint8Array = Uint8Array.of(1)) => ({ key: "k", payload });

function open() {
  const sent: { readonly data: Buffer; readonly outcome: PromiseWithResolvers<unknown> }[] = [];
  const state = { isConnected: true };
  const scripted: PulsarProducer = {
    send({ data }) {
      const outcome = Promise.withResolvers<unknown>();
      sent.push({ data, outcome });
      return outcome.promise;
    },
    isConnected: () => state.isConnected,
    async close() {
      for (const { outcome } of sent) {
        outcome.reject(new Error("Failed to send message: AlreadyClosed"));
      }
      return null;
    },
  };
  const clock = new ManualClock();
  const metrics = createBusMetrics(noMetrics);
  const producer = new NativeProducer(scripted, {
    topic: "main/events",
    maxMessageBytes: 100,
    metrics,
    clock,
  });
  const fail = (index: number, result: string): void =>
    sent[index]?.outcome.reject(new Error(`Failed to send message: ${result}`));
  return { producer, sent, state, clock, fail };
}

describe("NativeProducer", () => {
  it("a producer sends Buffers of exactly the payload, because other types would be sent empty", async () => {
    const { producer, sent } = open();
    const published = producer.publish(signal, message(Uint8Array.of(0, 1, 2, 3).subarray(1, 3)));
    expect(Buffer.isBuffer(sent[0]?.data)).toBe(true);
    expect([...(sent[0]?.data ?? [])]).toEqual([1, 2]);
    sent[0]?.outcome.resolve("id");
    await published;
    await producer.close();
  });

  it("a producer stays below the limit of the client, and continues when receipts arrive", async () => {
    const { producer, sent } = open();
    const published = Array.from({ length: MAX_MESSAGES_IN_FLIGHT + 2 }, () =>
      producer.publish(signal, message()),
    );
    expect(sent).toHaveLength(MAX_MESSAGES_IN_FLIGHT);
    sent[0]?.outcome.resolve("id");
    await published[0];
    expect(sent).toHaveLength(MAX_MESSAGES_IN_FLIGHT + 1);
    const unknown = Promise.allSettled(published.slice(1));
    await producer.close();
    const reasons = (await unknown).map((each) => (each.status === "rejected" ? each.reason : undefined));
    expect(reasons.slice(0, -1).every((reason) => reason instanceof PublishUnknownError)).toBe(true);
    expect(reasons.at(-1)).toBeInstanceOf(PublishRefusedError);
  });

  it("a message that is sent while the broker blocks the topic is not stored", async () => {
    const { producer, sent, fail, clock } = open();
    const blocked = "ProducerBlockedQuotaExceededException";
    const first = producer.publish(signal, message());
    fail(0, blocked);
    await expect(first).rejects.toThrow(PublishUnknownError);
    await clock.advance(1);
    const second = producer.publish(signal, message());
    fail(1, blocked);
    await expect(second).rejects.toThrow(PublishRefusedError);
    const third = producer.publish(signal, message());
    sent[2]?.outcome.resolve("id");
    await third;
    const fourth = producer.publish(signal, message());
    fail(3, blocked);
    await expect(fourth).rejects.toThrow(PublishUnknownError);
    await producer.close();
  });

  it("a publish stops waiting when the signal aborts, and a waiting message is not sent", async () => {
    const { producer, sent } = open();
    const stop = new AbortController();
    const all = Array.from({ length: MAX_MESSAGES_IN_FLIGHT }, () => producer.publish(signal, message()));
    const given = producer.publish(stop.signal, message());
    stop.abort(new Error("enough"));
    await expect(given).rejects.toThrow("enough");
    for (const { outcome } of sent) {
      outcome.resolve("id");
    }
    await Promise.all(all);
    expect(sent).toHaveLength(MAX_MESSAGES_IN_FLIGHT);
    await producer.close();
    await expect(producer.publish(signal, message())).rejects.toThrow("is closed");
  });

  it("assertConnected throws without a connection", () => {
    const { producer, state } = open();
    expect(() => producer.assertConnected()).not.toThrow();
    state.isConnected = false;
    expect(() => producer.assertConnected()).toThrow(RetryableError);
  });
});
