import { createMemoryBus } from "../../../src/bus/memory/memory-bus.ts";
import { createBusMetrics } from "../../../src/bus/metrics.ts";
import { createBrokerMonitor } from "../../../src/bus/pulsar/broker-monitor.ts";
import { openEmbeddedPostgres } from "../../../src/dev/embedded-postgres/embedded-postgres.ts";
import { DEAD_LETTER_SUBSCRIPTION, INGESTER_SUBSCRIPTION, TOPICS } from "../../../src/event/topics.ts";
import { createSeededRandom } from "../../../src/lib/random.ts";
import { runAgentOn } from "../../../src/main/agent.ts";
import { checkDatabase } from "../../../src/main/program-context.ts";
import { createRuntime, type Runtime } from "../../../src/main/runtime.ts";
import { startServer } from "../../../src/main/server.ts";
import { createDatabase } from "../../../src/store/postgres/database.ts";
import { migrate } from "../../../src/store/postgres/migrate.ts";
import { createPrometheusMetrics } from "../../../src/telemetry/prometheus-metrics.ts";
import { type ReadinessCheck, serveProbes } from "../../../src/telemetry/serve-probes.ts";
import { createMemoryPulsarAdmin } from "../bus/memory-pulsar-admin.ts";
import { eventually } from "../e2e/eventually.ts";
import { createSimulatedKube } from "../e2e/simulated-kube.ts";
import { createTestLog } from "../vitest/test-log.ts";

/**
 * Runs a server on PGlite and the agent of a simulated cluster until the first comparisons have succeeded, and records
 * what only Pulsar measures. Returns the pages of metrics: those of the server, the agent and the bus.
 */
export async function collectMetricPages(): Promise<readonly [server: string, agent: string, bus: string]> {
  const stop = new AbortController();
  await using stack = new AsyncDisposableStack();
  const pages = await runPrograms(stop.signal, stack);
  const bus = await measureBus(stop.signal, stack);
  stop.abort();
  return [...pages, bus];
}

/** A program with metrics, and its page of them. */
interface Measured {
  readonly runtime: Runtime;
  scrape(): Promise<string>;
}

async function measure(
  signal: AbortSignal,
  stack: AsyncDisposableStack,
  name: string,
  checks: readonly ReadinessCheck[] = [],
): Promise<Measured> {
  const prometheus = createPrometheusMetrics(`evenkeel-${name}`, "1.2.3");
  const runtime = { ...createRuntime(createTestLog(name)), metrics: prometheus.metrics };
  const { clock } = runtime;
  const address = { host: "127.0.0.1", port: 0 };
  const probes = stack.use(await serveProbes(signal, { ...address, checks, prometheus, clock }));
  return { runtime, scrape: async () => await (await fetch(`${probes.url}/metrics`)).text() };
}

async function runPrograms(
  signal: AbortSignal,
  stack: AsyncDisposableStack,
): Promise<readonly [server: string, agent: string]> {
  const postgres = stack.use(await openEmbeddedPostgres());
  await migrate(postgres.url);
  const database = stack.use(createDatabase(postgres));
  const kube = stack.use(await createSimulatedKube(createSeededRandom(1)));
  const server = await measure(signal, stack, "server", [checkDatabase(database)]);
  const agent = await measure(signal, stack, "agent");
  const stop = new AbortController();
  const running = AbortSignal.any([signal, stop.signal]);
  const serving = await startServer(running, {
    ...{ host: "127.0.0.1", port: 0, auth: { type: "none" as const } },
    ...{ reconcileIntervalMs: 600_000, runDeadlineMs: 60_000, database, runtime: server.runtime },
  });
  const syncing = runAgentOn(
    running,
    {
      ...{ server: serving.url, cluster: "dev", resources: ["*"], excludeResources: [], namespaces: [] },
      ...{ token: undefined, tokenFile: undefined },
    },
    { type: "kubeconfig", path: kube.kubeconfigPath },
    agent.runtime,
  );
  stack.defer(async () => {
    stop.abort();
    await Promise.allSettled([serving.ended, syncing]);
  });
  return await eventually("comparisons that succeeded", async () => {
    const page = await agent.scrape();
    if (!/^evenkeel_agent_comparisons_succeeded_total [1-9]/m.test(page)) {
      throw new Error(page);
    }
    return [await server.scrape(), page] as const;
  });
}

async function measureBus(signal: AbortSignal, stack: AsyncDisposableStack): Promise<string> {
  const { runtime, scrape } = await measure(signal, stack, "bus");
  const metrics = createBusMetrics(runtime.metrics);
  metrics.stored(TOPICS.events, 0.1);
  metrics.failed(TOPICS.events, "refused");
  metrics.reconnected(TOPICS.events);
  metrics.cutOff(TOPICS.events);
  const admin = createMemoryPulsarAdmin({ maxMessageBytes: 9e9, maxTextFrameBytes: 9e9, sessionIdleMs: 0 });
  await admin.createTenant(signal);
  const partition = { topic: `${TOPICS.events}-partition-0`, subscription: INGESTER_SUBSCRIPTION };
  const deadLetters = { topic: TOPICS.deadLetter, subscription: DEAD_LETTER_SUBSCRIPTION };
  await admin.createNamespace(signal, "main");
  await admin.createTopic(signal, TOPICS.events, 1);
  for (const { topic, subscription } of [partition, deadLetters]) {
    await admin.createTopic(signal, topic, 0);
    await admin.createSubscription(signal, topic, subscription);
  }
  const monitor = createBrokerMonitor({
    ...{ ...runtime, admin, bus: createMemoryBus({}), isWebSocket: true },
    events: { topic: TOPICS.events, subscription: INGESTER_SUBSCRIPTION },
    deadLetters,
  });
  const stop = new AbortController();
  const monitoring = monitor.run(AbortSignal.any([signal, stop.signal]));
  stack.defer(async () => {
    stop.abort();
    await monitoring;
  });
  return await eventually("a poll of the broker", async () => {
    const page = await scrape();
    if (!page.includes("evenkeel_bus_dead_letters 0")) {
      throw new Error(page);
    }
    return page;
  });
}
