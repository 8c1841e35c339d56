import { expect, it } from "vitest";
import { toConsumerUrl, toProducerUrl } from "../../../../../src/bus/pulsar/websocket/endpoint-url.ts";

it("the URL of a producer has the topic below its tenant, and keeps the path of the base URL", () => {
  const url = toProducerUrl("wss://pulsar.example/behind/a/proxy/", "a tenant", "replies/b#1");
  expect(url.origin).toBe("wss://pulsar.example");
  expect(url.pathname).toBe("/behind/a/proxy/ws/v2/producer/persistent/a%20tenant/replies/b%231");
  expect(url.searchParams.get("hashingScheme")).toBe("Murmur3_32Hash");
  expect(url.searchParams.get("batchingEnabled")).toBe("false");
});

it("the URL of a consumer is shared by key, and limits the messages that the broker prefetches", () => {
  const options = { topic: "main/events", subscription: "s/1", maxUnacknowledged: 40, maxPrefetched: 5000 };
  const url = toConsumerUrl("ws://127.0.0.1:8080", "evenkeel", options);
  expect(url.pathname).toBe("/ws/v2/consumer/persistent/evenkeel/main/events/s%2F1");
  expect(Object.fromEntries(url.searchParams)).toEqual({
    subscriptionType: "Key_Shared",
    pullMode: "true",
    negativeAckRedeliveryDelay: "100",
    receiverQueueSize: "40",
  });
});
