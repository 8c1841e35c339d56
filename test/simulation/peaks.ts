import type { Metrics } from "../../src/lib/telemetry.ts";
import { createRecordingMetrics } from "../support/recording-metrics.ts";

/** Gauges that show how full a queue is. */
const GAUGES = ["evenkeel_agent_pending_bytes", "evenkeel_ingester_held_bytes"] as const;

export type Gauge = (typeof GAUGES)[number];

/** Highest values of the gauges of all processes: they show if a queue grew beyond its limit. */
export class Peaks {
  readonly #highest = new Map<Gauge, number>();

  /** Returns the highest value of a gauge in one process; 0 if it was never read. */
  of(gauge: Gauge): number {
    return this.#highest.get(gauge) ?? 0;
  }

  /** Creates the metrics of one process, and a function that reads its gauges. */
  createMetrics(): { readonly metrics: Metrics; readonly sample: () => void } {
    const metrics = createRecordingMetrics();
    const sample = (): void => {
      for (const gauge of GAUGES) {
        this.#highest.set(gauge, Math.max(this.of(gauge), metrics.read(gauge) ?? 0));
      }
    };
    return { metrics, sample };
  }
}
