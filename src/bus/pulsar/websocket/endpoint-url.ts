import { trimEnd } from "../../../lib/trim-end.ts";
import type { SubscribeOptions } from "../../bus.ts";

/** Most messages that Pulsar's WebSocket API keeps ready for a consumer. */
const MAX_RECEIVER_QUEUE = 1000;

/** How long the broker tries to store a message before it says that it could not, in milliseconds. */
export const SEND_TIMEOUT_MS = 20_000;

/**
 * Where a topic is published to. Without batches, whose messages would be acknowledged together, and with the hash
 * that all clients can be told to use, so that a key has the same partition whoever publishes.
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

/** Where a subscription is joined: it is shared by key, and gives messages only as they are asked for. */
export function toConsumerUrl(base: string, tenant: string, options: SubscribeOptions): URL {
  const { topic, subscription, maxPrefetched, maxUnacknowledged } = options;
  const url = toUrl(base, "consumer", tenant, topic, subscription);
  url.search = new URLSearchParams({
    subscriptionType: "Key_Shared",
    pullMode: "true",
    receiverQueueSize: String(Math.min(maxPrefetched, maxUnacknowledged, MAX_RECEIVER_QUEUE)),
  }).toString();
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
