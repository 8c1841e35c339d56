/** The metrics of a program. Names follow the conventions of Prometheus, with the unit in the name. */
export interface Metrics {
  /** Creates a count that only grows; its name ends in `_total`. */
  counter(name: string, help: string): Counter;
  /** Creates a count that is kept elsewhere; `read` is called at each scrape. */
  observedCounter(name: string, help: string, read: () => number): void;
  /** Creates a distribution; its name ends in its unit, such as `_seconds`. */
  histogram(name: string, help: string, buckets: readonly number[]): Histogram;
  /**
   * Creates a value that goes up and down; `read` is called at each scrape and returns undefined while it is
   * unknown.
   */
  gauge(name: string, help: string, read: () => number | undefined): void;
}

/**
 * The labels of a value. Each has few values: never an object's name, never data that another account may not
 * see.
 */
export type Labels = Readonly<Record<string, string>>;

/** A count that only grows. */
export interface Counter {
  add(count: number, labels?: Labels): void;
}

/** A distribution of values. */
export interface Histogram {
  record(value: number, labels?: Labels): void;
}

/** Metrics that are recorded nowhere. */
export const noMetrics: Metrics = {
  counter: () => ({ add: () => {} }),
  observedCounter: () => {},
  histogram: () => ({ record: () => {} }),
  gauge: () => {},
};
