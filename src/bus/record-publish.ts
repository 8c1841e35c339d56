import type { Clock } from "../lib/clock.ts";
import { PublishRefusedError, PublishUnknownError } from "./bus.ts";
import type { BusMetrics } from "./metrics.ts";

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
