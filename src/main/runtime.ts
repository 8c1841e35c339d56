import type { TelemetryConfig } from "../config/fields/telemetry.ts";
import { type Clock, createSystemClock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { createPinoLog } from "../lib/pino-log.ts";
import { createSystemRandom, type Random } from "../lib/random.ts";
import { type Metrics, noMetrics, noTracer, type Tracer } from "../lib/telemetry.ts";
import type { ReadinessCheck } from "../telemetry/serve-probes.ts";
import { readVersion } from "./read-version.ts";

/** The access of every program to the outside world. */
export interface Runtime {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly tracer: Tracer;
}

/** A configured runtime. Disposing it closes its port and sends the last traces. */
export interface ConfiguredRuntime extends Runtime, AsyncDisposable {
  /** Opens the port of the probes, if one is configured. */
  serveProbes(signal: AbortSignal, checks: readonly ReadinessCheck[]): Promise<void>;
}

/** Creates a runtime with a log, but without metrics and traces. */
export function createRuntime(log: Log): Runtime {
  const [clock, random] = [createSystemClock(), createSystemRandom()];
  return { clock, random, log, metrics: noMetrics, tracer: noTracer };
}

/**
 * Creates the runtime of a program such as "evenkeel-backend". Imports metrics and traces only if configured.
 */
export async function configureRuntime(service: string, config: TelemetryConfig): Promise<ConfiguredRuntime> {
  const stack = new AsyncDisposableStack();
  const runtime = createRuntime(createPinoLog({ level: config.logLevel, format: config.logFormat }));
  const version = readVersion();
  const { clock, log } = runtime;
  const { probes, traces } = config;
  const prometheus =
    probes && (await import("../telemetry/prometheus-metrics.ts")).createPrometheusMetrics(service, version);
  let tracer = noTracer;
  if (traces !== undefined) {
    const { createOtlpExporter, createOtlpTracer } = await import("../telemetry/otlp-tracer.ts");
    const exporter = createOtlpExporter(traces.url);
    tracer = stack.use(createOtlpTracer({ service, version, ratio: traces.ratio, exporter }));
  }
  return {
    ...runtime,
    metrics: prometheus?.metrics ?? noMetrics,
    tracer,
    async serveProbes(signal, checks) {
      if (prometheus !== undefined && probes !== undefined) {
        const { serveProbes } = await import("../telemetry/serve-probes.ts");
        const server = await serveProbes(signal, { ...probes, checks, prometheus, clock });
        stack.use(server);
        log.info("probes started", { url: server.url });
      }
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
