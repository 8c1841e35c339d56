import { type Metrics, noMetrics } from "../../src/lib/telemetry.ts";

/** Highest values of the gauges of all processes, by name: they show if a queue grew beyond its limit. */
export class Peaks {
  readonly #highest = new Map<string, number>();

  /** Returns the highest value of a gauge in one process; 0 if it was never read. */
  of(gauge: string): number {
    return this.#highest.get(gauge) ?? 0;
  }

  /** Creates the metrics of one process, and a function that reads its gauges. */
  createMetrics(): { readonly metrics: Metrics; readonly sample: () => void } {
    const reads = new Map<string, () => number | undefined>();
    const sample = (): void => {
      for (const [name, read] of reads) {
        this.#highest.set(name, Math.max(this.of(name), read() ?? 0));
      }
    };
    return { metrics: { ...noMetrics, gauge: (name, _help, read) => void reads.set(name, read) }, sample };
  }
}
