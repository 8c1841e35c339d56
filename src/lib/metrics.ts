/** What a program counts and measures, for those who watch it. Names are Prometheus', with the unit in the name. */
export interface Metrics {
  /** A count that only grows; the name ends in `_total`. */
  counter(name: string, help: string): Counter;
  /** A count that something else keeps, read whenever somebody looks. */
  observedCounter(name: string, help: string, read: () => number): void;
  /** A distribution; the name ends in its unit, such as `_seconds`. */
  histogram(name: string, help: string, buckets: readonly number[]): Histogram;
  /** A value that goes up and down, read whenever somebody looks; undefined while nobody knows it. */
  gauge(name: string, help: string, read: () => number | undefined): void;
}

/** Tell apart what a metric counts. Few values each: never an object's name, never what another account may not see. */
export type Labels = Readonly<Record<string, string>>;

/** A count that only grows. */
export interface Counter {
  add(count: number, labels?: Labels): void;
}

/** A distribution of values. */
export interface Histogram {
  record(value: number, labels?: Labels): void;
}

/** Counts nothing. */
export const noMetrics: Metrics = {
  counter: () => ({ add: () => {} }),
  observedCounter: () => {},
  histogram: () => ({ record: () => {} }),
  gauge: () => {},
};
