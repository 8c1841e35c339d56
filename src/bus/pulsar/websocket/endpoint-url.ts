import { trimEnd } from "../../../lib/text.ts";
import type { SubscribeOptions } from "../../bus.ts";

/** Maximum messages that Pulsar's WebSocket API prefetches for a consumer. */
const MAX_RECEIVER_QUEUE = 1000;

/** Time limit of the broker to store a message, in milliseconds. After it the broker reports a failure. */
export const SEND_TIMEOUT_MS = 20_000;

/** Time after which the broker delivers a message again that was given back, in milliseconds; its shortest one. */
export const REDELIVERY_DELAY_MS = 100;

/**
 * Returns the URL to publish to a topic. Batching is off, because the messages of a batch would be
 * acknowledged together. The hash is one that all clients support, so that each client selects the same
 * partition for a key.
 */
export function toProducerUrl(base: string, tenant: string, topic: string): URL {
  const url = toUrl(base, "producer", tenant, topic);
  url.search = new URLSearchParams({
    hashingScheme: "Murmur3_32Hash",
    batchingEnabled: "false",
    sendTimeoutMillis: String(SEND_TIMEOUT_MS),
  }).toString();
  return url;
}

/**
 * Returns the URL to join a subscription. It is shared by key, and the broker sends a message only for a
 * permit.
 */
export function toConsumerUrl(base: string, tenant: string, options: SubscribeOptions): URL {
  const { topic, subscription, maxPrefetched, maxUnacknowledged } = options;
  const url = toUrl(base, "consumer", tenant, topic, subscription);
  url.search = new URLSearchParams({
    subscriptionType: "Key_Shared",
    pullMode: "true",
    receiverQueueSize: String(Math.min(maxPrefetched, maxUnacknowledged, MAX_RECEIVER_QUEUE)),
    negativeAckRedeliveryDelay: String(REDELIVERY_DELAY_MS),
  }).toString();
  return url;
}

/** Returns the URL of the same server for HTTP. A broker serves its admin API there too. */
export function toHttpUrl(webSocketUrl: string): URL {
  const url = new URL(webSocketUrl);
  url.protocol = url.protocol === "wss:" ? "https:" : "http:";
  return url;
}

function toUrl(base: string, role: string, tenant: string, topic: string, ...below: string[]): URL {
  const path = [
    "ws/v2",
    role,
    "persistent",
    ...[tenant, ...topic.split("/"), ...below].map(encodeURIComponent),
  ];
  return new URL(`${trimEnd(base, "/")}/${path.join("/")}`);
}
