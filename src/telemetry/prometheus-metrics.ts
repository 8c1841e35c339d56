import type { IncomingMessage, ServerResponse } from "node:http";
import { PrometheusExporter } from "@opentelemetry/exporter-prometheus";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import type { Metrics } from "../lib/telemetry.ts";

/** Metrics for Prometheus. */
export interface PrometheusMetrics {
  readonly metrics: Metrics;
  /** Answers a scrape, in Prometheus' text format. */
  handle(request: IncomingMessage, response: ServerResponse): void;
}

/** Creates metrics with OpenTelemetry that Prometheus scrapes. */
export function createPrometheusMetrics(service: string, version: string): PrometheusMetrics {
  const exporter = new PrometheusExporter({
    preventServerStart: true,
    appendTimestamp: false,
    withoutScopeInfo: true,
  });
  const provider = new MeterProvider({
    resource: resourceFromAttributes({ "service.name": service, "service.version": version }),
    readers: [exporter],
  });
  const meter = provider.getMeter("evenkeel");
  return {
    metrics: {
      counter(name, description) {
        const counter = meter.createCounter(name, { description });
        // An unused counter must be 0, not absent: an alert on its rate needs a series.
        counter.add(0);
        return { add: (count, labels) => counter.add(count, labels) };
      },
      observedCounter(name, description, read) {
        meter.createObservableCounter(name, { description }).addCallback((result) => result.observe(read()));
      },
      histogram(name, description, buckets) {
        const histogram = meter.createHistogram(name, {
          description,
          advice: { explicitBucketBoundaries: [...buckets] },
        });
        return { record: (value, labels) => histogram.record(value, labels) };
      },
      gauge(name, description, read) {
        meter.createObservableGauge(name, { description }).addCallback((result) => {
          const value = read();
          if (value !== undefined) {
            result.observe(value);
          }
        });
      },
    },
    handle: (request, response) => exporter.getMetricsRequestHandler(request, response),
  };
}
