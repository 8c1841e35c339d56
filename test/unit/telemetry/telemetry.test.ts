import { InMemorySpanExporter } from "@opentelemetry/sdk-trace";
import { afterEach, describe, expect, it } from "vitest";
import { type Clock, createSystemClock } from "../../../src/lib/clock.ts";
import { createOtlpTracer } from "../../../src/telemetry/otlp-tracer.ts";
import { createPrometheusMetrics } from "../../../src/telemetry/prometheus-metrics.ts";
import { type ProbeServer, type ReadinessCheck, serveProbes } from "../../../src/telemetry/serve-probes.ts";
import { ManualClock } from "../../support/manual-clock.ts";

const { signal } = new AbortController();

describe("the probes' port", () => {
  let server: ProbeServer | undefined;
  afterEach(async () => server?.[Symbol.asyncDispose]());

  const serve = async (checks: readonly ReadinessCheck[], probeClock: Clock = createSystemClock()) => {
    const prometheus = createPrometheusMetrics("evenkeel-test", "1.2.3");
    server = await serveProbes(signal, { host: "127.0.0.1", port: 0, checks, prometheus, clock: probeClock });
    const get = async (path: string) => {
      const response = await fetch(`${server?.url}${path}`);
      return { status: response.status, text: await response.text() };
    };
    return { get, metrics: prometheus.metrics };
  };
  const fine: ReadinessCheck = { name: "database", check: async () => {} };

  it("reports live while dependencies are missing, and ready when all are available", async () => {
    let isThere = false;
    const bus: ReadinessCheck = {
      name: "bus",
      check: async () => {
        if (!isThere) {
          throw new Error("connection refused");
        }
      },
    };
    const clock = new ManualClock();
    const { get } = await serve([fine, bus], clock);
    expect(await get("/livez")).toEqual({ status: 200, text: "ok\n" });
    expect(await get("/readyz")).toEqual({
      status: 503,
      text: "[+] database\n[-] bus: connection refused\n",
    });
    isThere = true;
    await clock.advance(1_000);
    expect(await get("/readyz?verbose")).toEqual({ status: 200, text: "[+] database\n[+] bus\n" });
    expect((await get("/")).status).toBe(404);
  });

  it("shares the result of a check for a second, however many requests come", async () => {
    let checks = 0;
    const first = Promise.withResolvers<void>();
    const check: ReadinessCheck = {
      name: "database",
      async check() {
        checks++;
        await first.promise;
      },
    };
    const clock = new ManualClock();
    const { get } = await serve([check], clock);
    const answers = Promise.all(Array.from({ length: 20 }, () => get("/readyz")));
    await expect.poll(() => checks).toBe(1);
    first.resolve();
    expect(new Set((await answers).map(({ status }) => status))).toEqual(new Set([200]));
    await clock.advance(999);
    await get("/readyz");
    expect(checks).toBe(1);
    await clock.advance(1);
    await get("/readyz");
    expect(checks).toBe(2);
  });

  it("exports the number of failed checks, also without a request of /readyz (L30)", async () => {
    let problem: Error | undefined = new Error("connection refused");
    const bus: ReadinessCheck = {
      name: "bus",
      check: () => (problem === undefined ? Promise.resolve() : Promise.reject(problem)),
    };
    const clock = new ManualClock();
    const { get } = await serve([fine, bus, { ...bus, name: "clock" }], clock);
    const read = async () => /^evenkeel_failed_readiness_checks .*$/m.exec((await get("/metrics")).text)?.[0];
    expect(await read()).toBe("evenkeel_failed_readiness_checks 2");
    problem = undefined;
    await clock.advance(1_000);
    expect(await read()).toBe("evenkeel_failed_readiness_checks 0");
  });

  it("refuses pages of other sites", async () => {
    await serve([fine]);
    const response = await fetch(`${server?.url}/metrics`, { headers: { origin: "http://evil.example" } });
    expect(response.status).toBe(403);
  });

  it("answers before the probe's timeout", async () => {
    const { get } = await serve([{ name: "bus", check: () => new Promise(() => {}) }]);
    expect(await get("/readyz")).toEqual({ status: 503, text: "[-] bus: deadline of 900 ms passed\n" });
  });

  it("returns metrics in Prometheus' text format, including counters at 0", async () => {
    const { get, metrics } = await serve([]);
    metrics.counter("evenkeel_quiet_total", "Never");
    metrics.counter("evenkeel_things_total", "Things").add(3, { type: "a" });
    metrics.observedCounter("evenkeel_kept_total", "Kept elsewhere", () => 11);
    metrics.gauge("evenkeel_level", "A level", () => 7);
    metrics.histogram("evenkeel_wait_seconds", "A wait", [0.1, 1]).record(0.5);
    const { status, text } = await get("/metrics");
    expect(status).toBe(200);
    const lines = text.split("\n");
    expect(lines).toContain("# HELP evenkeel_things_total Things");
    expect(lines).toContain("# TYPE evenkeel_things_total counter");
    expect(lines).toContain('evenkeel_things_total{type="a"} 3');
    expect(lines).toContain("evenkeel_quiet_total 0");
    expect(lines).toContain("evenkeel_kept_total 11");
    expect(lines).toContain("evenkeel_level 7");
    expect(lines).toContain('evenkeel_wait_seconds_bucket{le="0.1"} 0');
    expect(lines).toContain('evenkeel_wait_seconds_bucket{le="1"} 1');
    expect(text).toMatch(/target_info\{.*service_name="evenkeel-test".*service_version="1.2.3".*\} 1/);
  });
});

describe("the tracer", () => {
  const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";

  it("continues a trace from elsewhere, and passes it on", async () => {
    const exporter = new InMemorySpanExporter();
    const kept: ReturnType<typeof exporter.getFinishedSpans> = [];
    {
      await using tracer = createOtlpTracer({ service: "t", version: "1", ratio: 0, exporter });
      const first = tracer.start("publish", {
        parent: `00-${TRACE}-00f067aa0ba902b7-01`,
        attributes: { body: "batch" },
      });
      const second = tracer.start("apply", { parent: first.traceParent });
      second.end(new Error("gone"));
      first.end();
      expect(first.traceParent).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-01$`));
      await tracer.flush();
      kept.push(...exporter.getFinishedSpans());
    }
    expect(kept.map(({ name }) => name)).toEqual(["apply", "publish"]);
    expect(kept[1]).toMatchObject({
      attributes: { body: "batch" },
      parentSpanContext: { spanId: "00f067aa0ba902b7" },
    });
    expect(kept[0]).toMatchObject({
      status: { message: "gone" },
      parentSpanContext: { spanId: kept[1]?.spanContext().spanId },
    });
  });

  it("records the configured share of new traces, and passes the decision on", async () => {
    for (const [ratio, flags] of [
      [0, "00"],
      [1, "01"],
    ] as const) {
      const exporter = new InMemorySpanExporter();
      await using tracer = createOtlpTracer({ service: "t", version: "1", ratio, exporter });
      const span = tracer.start("observe", { parent: "no trace" });
      span.end();
      expect(span.traceParent).toMatch(new RegExp(`^00-[0-9a-f]{32}-[0-9a-f]{16}-${flags}$`));
    }
  });
});
