import { InMemorySpanExporter, type ReadableSpan } from "@opentelemetry/sdk-trace";
import { expect, it } from "vitest";
import { createSeededRandom } from "../../src/lib/random.ts";
import { runAgentOn } from "../../src/main/agent.ts";
import { createRuntime } from "../../src/main/runtime.ts";
import { startServer } from "../../src/main/server.ts";
import { createDatabase } from "../../src/store/postgres/database.ts";
import { createOtlpTracer } from "../../src/telemetry/otlp-tracer.ts";
import { eventually } from "../support/e2e/eventually.ts";
import { createSimulatedKube } from "../support/e2e/simulated-kube.ts";
import { describeWithPostgres } from "../support/postgres/postgres.ts";
import { createTestLog } from "../support/vitest/test-log.ts";

describeWithPostgres("a trace", (provided) => {
  it("connects the watch event with the commit through all three programs", async () => {
    await using stack = new AsyncDisposableStack();
    const exporters = { agent: new InMemorySpanExporter(), server: new InMemorySpanExporter() };
    const [agentTracer, serverTracer] = (["agent", "server"] as const).map((service) => {
      // The agent begins traces; the server continues them, and begins none.
      const ratio = service === "agent" ? 1 : 0;
      return stack.use(createOtlpTracer({ service, version: "1", ratio, exporter: exporters[service] }));
    });
    if (agentTracer === undefined || serverTracer === undefined) {
      throw new Error("tracer: not found");
    }
    const kube = stack.use(await createSimulatedKube(createSeededRandom(1)));
    const database = stack.use(createDatabase({ url: provided.url }));
    const runtime = createRuntime(createTestLog());
    const stop = new AbortController();
    const server = await startServer(stop.signal, {
      host: "127.0.0.1",
      port: 0,
      auth: { type: "none" },
      database,
      reconcileIntervalMs: 3_600_000,
      runDeadlineMs: 60_000,
      runtime: { ...runtime, tracer: serverTracer },
    });
    const agent = runAgentOn(
      stop.signal,
      {
        server: server.url,
        cluster: "traced",
        resources: ["configmaps"],
        excludeResources: [],
        namespaces: [],
        token: undefined,
        tokenFile: undefined,
      },
      { type: "kubeconfig", path: kube.kubeconfigPath },
      { ...runtime, tracer: agentTracer },
    );
    const rowOf = async (name: string): Promise<void> => {
      const { rowCount } = await database.pool.query(
        "SELECT 1 FROM kubernetes_object WHERE cluster = 'traced' AND name = $1",
        [name],
      );
      expect(rowCount).toBeGreaterThan(0);
    };
    const [listed] = kube.cluster.list("configmaps");
    await eventually("the first copy", () => rowOf(listed?.metadata.name ?? ""));
    kube.cluster.create({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { namespace: "default", name: "watched" },
    });
    await eventually("the watched object", () => rowOf("watched"));
    stop.abort();
    await Promise.all([agent, server.ended]);
    await Promise.all([agentTracer.flush(), serverTracer.flush()]);

    const spans = [...exporters.agent.getFinishedSpans(), ...exporters.server.getFinishedSpans()];
    const observed = spans.filter(({ name }) => name === "observe");
    expect(observed.map(({ attributes }) => attributes["resourceType"])).toContain("configmaps");
    const chains = observed.map((span) => [span.name, ...namesAfter(spans, span)].join(" > "));
    expect(chains).toContain("observe > publish > apply");
    // Nothing else was recorded: the server begins no traces.
    expect(new Set(spans.map((span) => span.spanContext().traceId)).size).toBe(observed.length);
  });
});

/** Returns the names of the spans in the chain behind a span. */
function namesAfter(spans: readonly ReadableSpan[], span: ReadableSpan): string[] {
  const next = spans.find(({ parentSpanContext }) => parentSpanContext?.spanId === span.spanContext().spanId);
  return next === undefined ? [] : [next.name, ...namesAfter(spans, next)];
}
