import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, it, vi } from "vitest";
import type { Delivery } from "../../../../../src/bus/bus.ts";
import { WebSocketConsumer } from "../../../../../src/bus/pulsar/websocket/consumer.ts";
import { RetryableError } from "../../../../../src/lib/errors.ts";
import { FakeConnection } from "../../../../support/bus/fake-connection.ts";
import { ManualClock } from "../../../../support/manual-clock.ts";

const { signal } = new AbortController();

describe("a consumer over WebSockets", () => {
  const open = (maxUnacknowledged: number, maxPrefetched: number) => {
    const connection = new FakeConnection();
    const onCutOff = vi.fn();
    const options = { topic: "main/events", subscription: "s", maxUnacknowledged, maxPrefetched };
    const consumer = new WebSocketConsumer(connection, new ManualClock(), options, onCutOff);
    const deliveries = consumer.deliveries(signal)[Symbol.asyncIterator]();
    return { connection, onCutOff, consumer, deliveries };
  };
  const message = (messageId: string, payload = "") => ({
    messageId,
    payload: Buffer.from(payload).toString("base64"),
    properties: { a: "b" },
    key: "k",
    redeliveryCount: 0,
    publishTime: "2026-01-01T00:00:00.000Z",
  });
  const permits = (connection: FakeConnection): number[] =>
    connection.sent
      .filter(({ type }) => type === "permit")
      .map(({ permitMessages }) => Number(permitMessages));
  const sumOf = (numbers: readonly number[]): number => numbers.reduce((sum, number) => sum + number, 0);
  const take = async (deliveries: AsyncIterator<Delivery>): Promise<Delivery> => {
    const { value, done } = await deliveries.next();
    expect(done).toBe(false);
    return value;
  };

  it("a consumer sends no permit before its deliveries are read", async () => {
    const connection = new FakeConnection();
    const options = { topic: "t", subscription: "s", maxUnacknowledged: 10, maxPrefetched: 10 };
    const consumer = new WebSocketConsumer(connection, new ManualClock(), options, () => {});
    await nextTurn();
    expect(connection.sent).toEqual([]);
    await consumer.close();
  });

  it("a consumer sends permits up to its limit, and more after acknowledgements", async () => {
    const { connection, deliveries, consumer } = open(4, 4);
    const held: Delivery[] = [];
    for (const id of ["1", "2", "3", "4"]) {
      const next = take(deliveries);
      await nextTurn();
      expect(sumOf(permits(connection))).toBeGreaterThan(held.length);
      connection.receive(message(id, id));
      held.push(await next);
    }
    expect(sumOf(permits(connection))).toBe(4);
    expect(held.map(({ payload }) => Buffer.from(payload).toString())).toEqual(["1", "2", "3", "4"]);
    expect(held[0]).toMatchObject({ key: "k", properties: { a: "b" }, redeliveryCount: 0, messageId: "1" });
    await held[2]?.acknowledge();
    expect(connection.sent.at(-2)).toEqual({ messageId: "3" });
    expect(sumOf(permits(connection))).toBe(5);
    await consumer.close();
  });

  it("a repeated acknowledgement is sent once", async () => {
    const { connection, deliveries, consumer } = open(1, 1);
    connection.receive(message("1"));
    const delivery = await take(deliveries);
    await delivery.acknowledge();
    await delivery.acknowledge();
    expect(permits(connection)).toEqual([1, 1]);
    await consumer.close();
  });

  it("L11: a message that was given back is replaced by a permit, and yielded when it arrives again", async () => {
    const { connection, deliveries, consumer } = open(1, 1);
    connection.receive(message("1"));
    const first = await take(deliveries);
    await first.redeliver();
    expect(connection.sent.at(-2)).toEqual({ type: "negativeAcknowledge", messageId: "1" });
    expect(permits(connection)).toEqual([1, 1]);
    connection.receive(message("1"));
    const again = await take(deliveries);
    await first.acknowledge();
    await first.redeliver();
    expect(connection.sent).toHaveLength(3);
    await again.acknowledge();
    expect(connection.sent.at(-2)).toEqual({ messageId: "1" });
    await consumer.close();
  });

  it("an unacknowledged message that arrives again, as when its topic moves, is not yielded twice", async () => {
    const { connection, deliveries, consumer } = open(4, 4);
    connection.receive(message("1"));
    connection.receive(message("2"));
    const first = await take(deliveries);
    for (const id of ["1", "2", "3"]) {
      connection.receive(message(id));
    }
    expect([(await take(deliveries)).messageId, (await take(deliveries)).messageId]).toEqual(["2", "3"]);
    await first.acknowledge();
    connection.receive(message("1"));
    expect((await take(deliveries)).messageId).toBe("1");
    await consumer.close();
  });

  it("a consumer that is cut off throws, yields nothing more, and its acknowledgements have no effect", async () => {
    const { connection, deliveries, onCutOff } = open(4, 4);
    connection.receive(message("1"));
    connection.receive(message("2"));
    const first = await take(deliveries);
    connection.lose(1001, "shutting down");
    await nextTurn();
    await first.acknowledge();
    const next = deliveries.next();
    await expect(next).rejects.toThrow(RetryableError);
    await expect(next).rejects.toThrow("the consumer of s on main/events was cut off");
    expect(onCutOff).toHaveBeenCalledOnce();
  });

  it.each([
    ["text that is not JSON", "<html>"],
    ["a number", "3"],
    ["no messageId", { payload: "", redeliveryCount: 0 }],
    ["a payload that is not text", { messageId: "1", payload: 5, redeliveryCount: 0 }],
    [
      "properties that are not texts",
      { messageId: "1", payload: "", properties: { a: 1 }, redeliveryCount: 0 },
    ],
    ["no redeliveryCount", { messageId: "1", payload: "" }],
  ])("a consumer is cut off by a connection that sends %s", async (_, frame) => {
    const { connection, deliveries } = open(4, 4);
    connection.receive(frame);
    await expect(deliveries.next()).rejects.toThrow("expected a message of Pulsar's WebSocket API");
    expect(connection.dropReason).toBe("the consumer was cut off");
  });

  it("the deliveries end when the consumer leaves, without its prefetched messages", async () => {
    const { connection, deliveries, consumer, onCutOff } = open(4, 4);
    connection.receive(message("1"));
    connection.receive(message("2"));
    await take(deliveries);
    await consumer.close();
    expect(await deliveries.next()).toMatchObject({ done: true });
    expect(onCutOff).not.toHaveBeenCalled();
  });
});
