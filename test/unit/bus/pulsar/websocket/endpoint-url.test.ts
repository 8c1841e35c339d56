import { expect, it } from "vitest";
import { toConsumerUrl, toProducerUrl } from "../../../../../src/bus/pulsar/websocket/endpoint-url.ts";

it("names the topic below its tenant, and keeps what is before it", () => {
  const url = toProducerUrl("wss://pulsar.example/behind/a/proxy/", "a tenant", "replies/b#1");
  expect(url.origin).toBe("wss://pulsar.example");
  expect(url.pathname).toBe("/behind/a/proxy/ws/v2/producer/persistent/a%20tenant/replies/b%231");
  expect(url.searchParams.get("hashingScheme")).toBe("Murmur3_32Hash");
  expect(url.searchParams.get("batchingEnabled")).toBe("false");
});

it("joins a subscription shared by key, and lets the broker keep no more ready than this side may", () => {
  const options = { topic: "main/events", subscription: "s/1", maxUnacknowledged: 40, maxPrefetched: 5000 };
  const url = toConsumerUrl("ws://127.0.0.1:8080", "evenkeel", options);
  expect(url.pathname).toBe("/ws/v2/consumer/persistent/evenkeel/main/events/s%2F1");
  expect(Object.fromEntries(url.searchParams)).toEqual({
    subscriptionType: "Key_Shared",
    pullMode: "true",
    receiverQueueSize: "40",
  });
});
