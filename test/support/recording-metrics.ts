import type { Metrics } from "../../src/lib/metrics.ts";

/** Metrics that a test looks into. */
export interface RecordingMetrics extends Metrics {
  /** What was added to the counter, or recorded by the histogram, over all labels. */
  total(name: string): number;
  /** What the gauge says now; undefined when there is none, or when it does not know. */
  read(name: string): number | undefined;
}

/** Keeps sums by name. */
export function createRecordingMetrics(): RecordingMetrics {
  const sums = new Map<string, number>();
  const gauges = new Map<string, () => number | undefined>();
  const add = (name: string, value: number): void => {
    sums.set(name, (sums.get(name) ?? 0) + value);
  };
  return {
    counter: (name) => ({ add: (count) => add(name, count) }),
    observedCounter: (name, _help, read) => void gauges.set(name, read),
    histogram: (name) => ({ record: (value) => add(name, value) }),
    gauge: (name, _help, read) => void gauges.set(name, read),
    total: (name) => sums.get(name) ?? 0,
    read: (name) => gauges.get(name)?.(),
  };
}
