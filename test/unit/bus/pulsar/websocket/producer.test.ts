import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PublishRefusedError, PublishUnknownError } from "../../../../../src/bus/bus.ts";
import { createBusMetrics } from "../../../../../src/bus/metrics.ts";
import type { Connection } from "../../../../../src/bus/pulsar/websocket/connection.ts";
import { toHandshakeError } from "../../../../../src/bus/pulsar/websocket/handshake-refusal.ts";
import { WebSocketProducer } from "../../../../../src/bus/pulsar/websocket/producer.ts";
import { RetryableError } from "../../../../../src/lib/errors.ts";
import { createSeededRandom } from "../../../../../src/lib/random.ts";
import { noMetrics } from "../../../../../src/lib/telemetry.ts";
import { FakeConnection } from "../../../../support/bus/fake-connection.ts";
import { ManualClock } from "../../../../support/manual-clock.ts";
import { createTestLog } from "../../../../support/vitest/test-log.ts";

const MAX_MESSAGE_BYTES = 8 * 1024 * 1024;
const quota =
  "org.apache.pulsar.client.api.PulsarClientException$ProducerBlockedQuotaExceededException: full";
const timeout = "org.apache.pulsar.client.api.PulsarClientException$TimeoutException: too late, retryCount";

describe("a producer over WebSockets", () => {
  const { signal } = new AbortController();
  let clock: ManualClock;
  let connection: FakeConnection;
  /** Outcomes of the next attempts to connect. */
  let dials: (() => Promise<Connection>)[];
  let producer: WebSocketProducer;

  beforeEach(() => {
    clock = new ManualClock();
    connection = new FakeConnection();
    dials = [];
    producer = new WebSocketProducer(connection, {
      clock,
      random: createSeededRandom(1),
      log: createTestLog(),
      metrics: createBusMetrics(noMetrics),
      topic: "main/events",
      maxMessageBytes: MAX_MESSAGE_BYTES,
      dial: async () => {
        const next = dials.shift();
        if (next === undefined) {
          throw new RetryableError("connect ECONNREFUSED");
        }
        return next();
      },
    });
  });
  afterEach(async () => {
    await producer.close();
    expect(clock.pending).toBe(0);
  });

  const publish = (key: string, bytes = 1): Promise<void> => {
    const publishing = producer.publish(signal, { key, payload: new Uint8Array(bytes) });
    publishing.catch(() => {});
    return publishing;
  };
  const connectAgain = async (): Promise<FakeConnection> => {
    const next = new FakeConnection();
    dials.push(async () => next);
    await clock.advance(10_000);
    return next;
  };
  const answer = (index: number, frame: Record<string, unknown>): void =>
    connection.receive({ ...frame, context: connection.contextOf(index) });
  const fail = (index: number, errorMsg: string): void => answer(index, { result: "send-error:8", errorMsg });

  it("receipts match their publishes in any order", async () => {
    const settled: string[] = [];
    const publishing = ["a", "b"].map((key) => publish(key).then(() => settled.push(key)));
    expect(connection.sent).toMatchObject([{ key: "a" }, { key: "b" }]);
    answer(1, { result: "ok", messageId: "x" });
    await publishing[1];
    expect(settled).toEqual(["b"]);
    answer(0, { result: "ok", messageId: "y" });
    await publishing[0];
  });

  it("at most 1,000 messages are in flight", async () => {
    const publishing = Array.from({ length: 1_001 }, () => publish("k"));
    expect(connection.sent).toHaveLength(1_000);
    answer(7, { result: "ok", messageId: "x" });
    await publishing[7];
    expect(connection.sent).toHaveLength(1_001);
  });

  it("at most 16 MiB are in flight, in the order of the calls", async () => {
    const publishing = [
      publish("k", 5_000_000),
      publish("k", 5_000_000),
      publish("k", 7_000_000),
      publish("k"),
    ];
    expect(connection.sent).toHaveLength(2);
    answer(0, { result: "ok", messageId: "x" });
    await publishing[0];
    expect(connection.sent).toHaveLength(4);
  });

  it("the outcome of messages in flight is unknown after a loss, and waiting messages are sent", async () => {
    const sent = Array.from({ length: 1_000 }, () => publish("k"));
    const waiting = publish("late");
    connection.lose();
    await expect(sent[0]).rejects.toThrow(PublishUnknownError);
    await expect(sent[999]).rejects.toThrow("topic main/events sent no receipt");
    const next = await connectAgain();
    expect(next.sent).toMatchObject([{ key: "late" }]);
    next.receive({ result: "ok", messageId: "x", context: next.contextOf(0) });
    await waiting;
  });

  it("a late receipt counts as a lost connection", async () => {
    const publishing = publish("k");
    await clock.advance(30_000);
    expect(connection.dropReason).toBeUndefined();
    await clock.advance(2_000);
    expect(connection.dropReason).toBe("no receipt within 30000 ms");
    await expect(publishing).rejects.toThrow(PublishUnknownError);
  });

  it("a message that waits too long for a connection is refused", async () => {
    connection.lose();
    await nextTurn();
    const publishing = publish("k");
    await clock.advance(32_000);
    await expect(publishing).rejects.toThrow(PublishRefusedError);
    await expect(publishing).rejects.toThrow("not sent to main/events within 30000 ms: connect ECONNREFUSED");
  });

  it("waiting messages are refused at once if the broker refuses the producer", async () => {
    connection.lose();
    await nextTurn();
    const publishing = publish("k");
    dials.push(async () => {
      throw toHandshakeError("producer of main/events", 503, "<title>Error 503 quota exceeded</title>");
    });
    await clock.advance(1_000);
    await expect(publishing).rejects.toThrow(PublishRefusedError);
    await expect(publishing).rejects.toThrow("quota exceeded");
  });

  it("waiting messages continue to wait while the broker is overloaded", async () => {
    connection.lose();
    await nextTurn();
    const publishing = publish("k");
    dials.push(async () => {
      throw toHandshakeError("producer of main/events", 500, "");
    });
    const next = await connectAgain();
    next.receive({ result: "ok", messageId: "x", context: next.contextOf(0) });
    await publishing;
  });

  it("a message that its caller gave up is not sent, or stays in the window if it was sent", async () => {
    const impatient = new AbortController();
    const message = { key: "k", payload: new Uint8Array(9_000_000 - 1_000_000) };
    const sent = [publish("k", 8_000_000), producer.publish(impatient.signal, message)];
    const waiting = producer.publish(impatient.signal, message);
    impatient.abort(new Error("enough"));
    await expect(sent[1]).rejects.toThrow("enough");
    await expect(waiting).rejects.toThrow("enough");
    const next = publish("next", 8_000_000);
    expect(connection.sent).toHaveLength(2);
    answer(0, { result: "ok", messageId: "x" });
    await sent[0];
    expect(connection.sent).toHaveLength(3);
    answer(2, { result: "ok", messageId: "x" });
    await next;
  });

  it("messages are refused at once while a quota blocks the topic, and earlier ones may be stored", async () => {
    const before = [publish("a"), publish("b")];
    fail(0, quota);
    await expect(before[0]).rejects.toThrow(PublishUnknownError);
    await expect(before[1]).rejects.toThrow(PublishUnknownError);
    expect(connection.dropReason).toContain("ProducerBlockedQuotaExceededException");
    const after = publish("c");
    await expect(after).rejects.toThrow(PublishRefusedError);
    await expect(after).rejects.toThrow("ProducerBlockedQuotaExceededException");
    const next = await connectAgain();
    const reopened = publish("d");
    next.receive({ result: "ok", messageId: "x", context: next.contextOf(0) });
    await reopened;
  });

  it("a message that the broker never tried to store is refused, and any other is unknown", async () => {
    const once = publish("b");
    fail(0, `${timeout} 1`);
    await expect(once).rejects.toThrow(PublishUnknownError);
    const never = publish("a");
    fail(1, `${timeout} 0`);
    await expect(never).rejects.toThrow(PublishRefusedError);
    expect(connection.dropReason).toContain("retryCount 0");
  });

  it("the error of a frame above the broker's limit names size, limit and setting", async () => {
    const [small, large] = [publish("k", 10), publish("k", 900_000)];
    connection.lose(1009, "Text message size [1200036] exceeds maximum size [1048576]");
    await expect(small).rejects.toThrow(PublishUnknownError);
    await expect(large).rejects.toThrow(PublishRefusedError);
    await expect(large).rejects.toThrow(/900000 bytes.*webSocketMaxTextFrameSize of 1048576/);
  });

  it("the error of a large frame names the limit if the connection is lost without a reason", async () => {
    const [small, large] = [publish("k", 10), publish("k", 900_000)];
    connection.lose(1006, "read ECONNRESET");
    await expect(small).rejects.not.toThrow("webSocketMaxTextFrameSize");
    await expect(large).rejects.toThrow(PublishUnknownError);
    await expect(large).rejects.toThrow(
      /frame of 12\d+ bytes may be above the broker's webSocketMaxTextFrameSize/,
    );
  });

  it("a message whose key and properties leave no room for its payload is refused", async () => {
    const payload = new Uint8Array(MAX_MESSAGE_BYTES);
    const message = { key: "k", payload, properties: { long: "x".repeat(40_000) } };
    await expect(producer.publish(signal, message)).rejects.toThrow(/with its key and properties/);
    const next = publish("k", MAX_MESSAGE_BYTES);
    answer(0, { result: "ok", messageId: "x" });
    await next;
  });

  it.each([
    ["text that is not JSON", "<html>"],
    ["a list", "[]"],
    ["an unknown result", { result: "maybe", context: "1" }],
    ["a receipt of an unknown publish", { result: "ok", messageId: "x", context: "17" }],
    ["an error without a context", { result: "send-error:3", errorMsg: "what?" }],
  ])("a connection that sends %s is dropped", async (_, frame) => {
    const publishing = publish("k");
    connection.receive(frame);
    await expect(publishing).rejects.toThrow(PublishUnknownError);
    expect(connection.dropReason).toContain("expected a receipt");
    const next = await connectAgain();
    const again = publish("k");
    next.receive({ result: "ok", messageId: "x", context: next.contextOf(0) });
    await again;
  });

  it("the close of a producer ends all publishes", async () => {
    const sent = Array.from({ length: 1_000 }, () => publish("k"));
    const waiting = publish("k");
    await producer.close();
    await expect(sent[0]).rejects.toThrow(PublishUnknownError);
    await expect(waiting).rejects.toThrow(PublishRefusedError);
    await expect(publish("k")).rejects.toThrow("the producer of main/events is closed");
  });

  it("a connection that opens after the close of the producer is closed", async () => {
    const late = Promise.withResolvers<Connection>();
    dials.push(() => late.promise);
    connection.lose();
    await clock.advance(1_000);
    const closing = producer.close();
    const next = new FakeConnection();
    late.resolve(next);
    await closing;
    expect(next.isClosed).toBe(true);
  });
});
