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
import type { Tracer } from "../lib/tracer.ts";

/** Where traces go, and how many. */
export interface TracerOptions {
  /** Name of the program. */
  readonly service: string;
  readonly version: string;
  /** Share of the traces that are begun here which are recorded, from 0 to 1. A trace that was begun elsewhere goes on. */
  readonly ratio: number;
  readonly exporter: SpanExporter;
}

/** A tracer that sends what it records. */
export interface ExportingTracer extends Tracer, AsyncDisposable {
  /** Sends what it has. */
  flush(): Promise<void>;
}

/** Sends spans by OTLP over HTTP to a collector's URL, such as `http://127.0.0.1:4318/v1/traces`. */
export function createOtlpExporter(url: string): SpanExporter {
  return new OTLPTraceExporter({ url });
}

/** Records spans with OpenTelemetry. Disposing it sends what it still has. */
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
      // A collector that is gone takes the last spans with it; the program ends all the same.
      await provider.shutdown().catch(() => {});
    },
  };
}

const TRACE_PARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/** Reads a `traceparent` (W3C Trace Context, level 1); what is none begins a trace of its own. */
function toContext(traceParent: string): Context {
  const [, traceId, spanId, flags] = TRACE_PARENT.exec(traceParent) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) {
    return ROOT_CONTEXT;
  }
  const traceFlags = Number.parseInt(flags, 16) & TraceFlags.SAMPLED;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true });
}

/** A trace that is not recorded goes on unrecorded, so its context travels too. */
function toTraceParent({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`;
}
