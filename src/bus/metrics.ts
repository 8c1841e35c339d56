import type { Clock } from "../lib/clock.ts";
import type { Metrics } from "../lib/telemetry.ts";
import { PublishRefusedError, PublishUnknownError } from "./bus.ts";

/** The metrics of an adapter for a broker, equal for all protocols. */
export interface BusMetrics {
  /** Records a receipt that arrived this many seconds after the call of the publish. */
  stored(topic: string, seconds: number): void;
  /** Records a publish that was certainly not stored (`refused`), or whose outcome is unknown. */
  failed(topic: string, outcome: "refused" | "unknown"): void;
  /**
   * Records messages that were sent (positive), or whose receipts arrived or are no longer awaited
   * (negative).
   */
  inFlight(messages: number, bytes: number): void;
  /** Records a producer that connected again after a loss. */
  reconnected(topic: string): void;
  /** Records a consumer that the bus cut off. */
  cutOff(topic: string): void;
}

const BUCKETS_S = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30];

/**
 * Creates the metrics of a bus. Their labels have the namespace but not the topic, because each backend has
 * its own topic for inventories.
 */
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
    "Producers that connected again after a loss",
  );
  const cutOffs = metrics.counter("evenkeel_bus_consumer_cut_offs_total", "Consumers that the bus cut off");
  const inFlight = { messages: 0, bytes: 0 };
  metrics.gauge(
    "evenkeel_bus_in_flight_messages",
    "Messages sent to the bus without a receipt",
    () => inFlight.messages,
  );
  metrics.gauge(
    "evenkeel_bus_in_flight_bytes",
    "Payload bytes sent to the bus without a receipt",
    () => inFlight.bytes,
  );
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

/** Publishes, and records the duration or the failure. */
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
