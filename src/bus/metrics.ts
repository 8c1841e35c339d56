import type { Clock } from "../lib/clock.ts";
import type { Metrics } from "../lib/metrics.ts";
import { PublishRefusedError, PublishUnknownError } from "./bus.ts";

/** What an adapter over a broker counts, whatever protocol it speaks. */
export interface BusMetrics {
  /** A publish was confirmed, this many seconds after it was called. */
  stored(topic: string, seconds: number): void;
  /** A publish was surely not stored, or nobody knows. */
  failed(topic: string, outcome: "refused" | "unknown"): void;
  /** Messages went out (positive), or their receipts came or were given up (negative). */
  inFlight(messages: number, bytes: number): void;
  /** A producer that had lost its connection has one again. */
  reconnected(topic: string): void;
  /** The bus has cut off a consumer. */
  cutOff(topic: string): void;
}

const BUCKETS_S = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30];

/** Labels name the namespace rather than the topic: each backend has a topic of its own for answers. */
export function createBusMetrics(metrics: Metrics): BusMetrics {
  const seconds = metrics.histogram(
    "evenkeel_bus_publish_seconds",
    "Time from a publish to its receipt",
    BUCKETS_S,
  );
  const failures = metrics.counter(
    "evenkeel_bus_publish_failures_total",
    "Publishes that were refused or whose receipt is unknown",
  );
  const reconnects = metrics.counter(
    "evenkeel_bus_reconnects_total",
    "Producers that lost their connection and have one again",
  );
  const cutOffs = metrics.counter("evenkeel_bus_consumer_cut_offs_total", "Consumers that the bus cut off");
  const inFlight = { messages: 0, bytes: 0 };
  metrics.gauge(
    "evenkeel_bus_in_flight_messages",
    "Messages on their way to the bus",
    () => inFlight.messages,
  );
  metrics.gauge("evenkeel_bus_in_flight_bytes", "Payload on its way to the bus", () => inFlight.bytes);
  return {
    stored: (topic, elapsed) => seconds.record(elapsed, toLabels(topic)),
    failed: (topic, outcome) => failures.add(1, { ...toLabels(topic), outcome }),
    inFlight(messages, bytes) {
      inFlight.messages += messages;
      inFlight.bytes += bytes;
    },
    reconnected: (topic) => reconnects.add(1, toLabels(topic)),
    cutOff: (topic) => cutOffs.add(1, toLabels(topic)),
  };
}

function toLabels(topic: string): { readonly namespace: string } {
  return { namespace: topic.slice(0, topic.indexOf("/")) };
}

/** Publishes, and records how long it took, or how it failed. */
export async function recordPublish(
  { topic, metrics, clock }: { readonly topic: string; readonly metrics: BusMetrics; readonly clock: Clock },
  publish: () => Promise<void>,
): Promise<void> {
  const calledMs = clock.monotonic();
  try {
    await publish();
    metrics.stored(topic, (clock.monotonic() - calledMs) / 1000);
  } catch (error) {
    if (error instanceof PublishRefusedError) {
      metrics.failed(topic, "refused");
    } else if (error instanceof PublishUnknownError) {
      metrics.failed(topic, "unknown");
    }
    throw error;
  }
}
