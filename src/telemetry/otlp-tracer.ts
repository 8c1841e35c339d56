import {
  type Context,
  ROOT_CONTEXT,
  type SpanContext,
  SpanStatusCode,
  TraceFlags,
  trace,
} from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import { toMessage } from "../lib/errors.ts";
import type { Tracer } from "../lib/telemetry.ts";

export interface TracerOptions {
  /** Name of the program. */
  readonly service: string;
  readonly version: string;
  /** Recorded share of the traces that begin here, from 0 to 1. Traces from elsewhere keep their sampling decision. */
  readonly ratio: number;
  readonly exporter: SpanExporter;
}

/** A tracer that exports its spans. */
export interface ExportingTracer extends Tracer, AsyncDisposable {
  /** Exports the spans that are not exported yet. */
  flush(): Promise<void>;
}

/** Creates an exporter of spans by OTLP over HTTP to a collector's URL, such as `http://127.0.0.1:4318/v1/traces`. */
export function createOtlpExporter(url: string): SpanExporter {
  return new OTLPTraceExporter({ url });
}

/** Creates a tracer that records spans with OpenTelemetry. Disposal exports the remaining spans. */
export function createOtlpTracer({ service, version, ratio, exporter }: TracerOptions): ExportingTracer {
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ "service.name": service, "service.version": version }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) }),
    spanProcessors: [new BatchSpanProcessor({ exporter })],
  });
  const tracer = provider.getTracer("evenkeel", version);
  return {
    start(name, { parent = "", startTime, attributes } = {}) {
      const span = tracer.startSpan(
        name,
        { ...(startTime && { startTime }), ...(attributes && { attributes }) },
        toContext(parent),
      );
      return {
        traceParent: toTraceParent(span.spanContext()),
        end(error) {
          if (error !== undefined) {
            span.setStatus({ code: SpanStatusCode.ERROR, message: toMessage(error) });
          }
          span.end();
        },
      };
    },
    flush: () => provider.forceFlush(),
    async [Symbol.asyncDispose]() {
      // If the collector is gone, the last spans are lost. That must not keep the program from ending.
      await provider.shutdown().catch(() => {});
    },
  };
}

const TRACE_PARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/** Parses a `traceparent` (W3C Trace Context, level 1). Any other text begins a new trace. */
function toContext(traceParent: string): Context {
  const [, traceId, spanId, flags] = TRACE_PARENT.exec(traceParent) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) {
    return ROOT_CONTEXT;
  }
  const traceFlags = Number.parseInt(flags, 16) & TraceFlags.SAMPLED;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true });
}

/** Formats the `traceparent` of a span, also of an unrecorded one: its trace must stay unrecorded in other programs. */
function toTraceParent({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`;
}
