import type { Labels } from "./metrics.ts";

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
