import type { Metrics } from "../../src/lib/telemetry.ts";

/** Metrics that a test can read. */
export interface RecordingMetrics extends Metrics {
  /** Returns the sum of the counter or the histogram over all labels. */
  total(name: string): number;
  /** Returns the gauge's current value; undefined if there is no gauge or no value. */
  read(name: string): number | undefined;
}

/** Creates metrics that keep sums by name. */
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
