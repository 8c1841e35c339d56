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
type Labels = Readonly<Record<string, string>>;

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

/** Records the steps of an operation across the programs. */
export interface Tracer {
  start(name: string, options?: SpanOptions): Span;
}

export interface SpanOptions {
  /** W3C `traceparent` of the cause; empty or unset: a new trace, if the tracer samples it. */
  readonly parent?: string;
  /** Default: the current time. */
  readonly startTime?: Date;
  readonly attributes?: Labels;
}

/** One step of an operation. */
export interface Span {
  /** W3C `traceparent` for the following steps; empty if nothing is traced. */
  readonly traceParent: string;
  /** Ends the step, with its error if it failed. */
  end(error?: unknown): void;
}

/** A tracer that records nothing; messages have no trace context. */
export const noTracer: Tracer = {
  start: () => ({ traceParent: "", end: () => {} }),
};
