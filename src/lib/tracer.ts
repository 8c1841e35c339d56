import type { Labels } from "./metrics.ts";

/** Records what happened to one thing on its way through the programs. */
export interface Tracer {
  start(name: string, options?: SpanOptions): Span;
}

/** What a span begins with. */
export interface SpanOptions {
  /** W3C `traceparent` of what led to this; empty or unset begins a new trace, or none, as the tracer samples. */
  readonly parent?: string;
  /** Unset: now. */
  readonly startTime?: Date;
  readonly attributes?: Labels;
}

/** One step. */
export interface Span {
  /** W3C `traceparent` for the steps that follow; empty when nothing is traced. */
  readonly traceParent: string;
  /** Ends the step, with what went wrong if something did. */
  end(error?: unknown): void;
}

/** Traces nothing, and leaves messages without a trace context. */
export const noTracer: Tracer = {
  start: () => ({ traceParent: "", end: () => {} }),
};
