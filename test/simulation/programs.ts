import { createAgent } from "../../src/agent/agent.ts";
import { type AgentTuning, DEFAULT_AGENT_TUNING } from "../../src/agent/config.ts";
import { type Backend, createBackend } from "../../src/backend/backend.ts";
import type { Bus } from "../../src/bus/bus.ts";
import type { DeletionGuard } from "../../src/domain/reconciliation/deletion-guard.ts";
import type { WindowLimits } from "../../src/ingester/keyed-window.ts";
import type { KubeTransport } from "../../src/kube/kube.ts";
import { untilAborted } from "../../src/lib/abort.ts";
import { MemoryBudget } from "../../src/lib/memory-budget.ts";
import { retry } from "../../src/lib/retry.ts";
import { noTracer } from "../../src/lib/telemetry.ts";
import { superviseIngester } from "../../src/main/ingester.ts";
import type { Authenticator } from "../../src/rpc/auth/authenticator.ts";
import type { SyncClient } from "../../src/rpc/client/sync-client.ts";
import { createRpcRouter } from "../../src/rpc/server/serve.ts";
import type { Database } from "../../src/store/postgres/database.ts";
import { createPgRunStore } from "../../src/store/postgres/pg-run-store.ts";
import { createPgSessionStore } from "../../src/store/postgres/pg-session-store.ts";
import type { SimulatedProcess } from "./process.ts";
import type { SimulatedNetwork } from "./simulated-network.ts";

/*
 * The programs of the product, wired as in src/main, with the edges of the simulation.
 */

/** Time between two runs of a cluster, in milliseconds. */
export const INTERVAL_MS = 10_000;
const RUN_DEADLINE_MS = 20_000;
const DRAIN_MS = 3_000;
const MEMORY_BYTES = 64 * 1024 * 1024;

/** Limits that the small clusters of a simulation reach. */
const GUARD: DeletionGuard = { maxDeletions: 4, maxShare: 0.4, agreementMs: 15_000 };

/** Small clusters, too, shall read pages of contents, and fill the outbox. */
export const TUNING: AgentTuning = {
  ...DEFAULT_AGENT_TUNING,
  ...{ discoveryMs: 15_000, watchMs: 20_000, maxSingleReads: 4, maxPendingBytes: 512 },
};

export const WINDOW_LIMITS: WindowLimits = {
  maxItems: 12,
  maxBytes: 4_096,
  maxItemsPerKey: 4,
  maxBytesPerKey: 2_048,
};

/** A token is the name of an account. */
const authenticator: Authenticator = {
  authenticate: async (_signal, headers) => ({
    account: headers.get("authorization")?.slice("Bearer ".length) ?? "",
  }),
};

export interface BackendPorts {
  readonly bus: Bus;
  readonly database: Database;
  readonly network: SimulatedNetwork;
  /** Receives the backend once it serves. */
  readonly onServing: (backend: Backend) => void;
}

export async function runBackend(process: SimulatedProcess, ports: BackendPorts): Promise<void> {
  const { bus, database, network, onServing } = ports;
  const { clock, random, log, metrics } = process;
  const runtime = { clock, random, log, metrics, tracer: noTracer };
  const running = new AbortController();
  const backend = await retry(process.stop.signal, { ...runtime, name: "joining the bus" }, () =>
    createBackend(running.signal, {
      ...runtime,
      bus,
      memory: { agents: new MemoryBudget(MEMORY_BYTES), messages: new MemoryBudget(MEMORY_BYTES) },
      sessions: createPgSessionStore(database, random),
      runs: createPgRunStore(database, random),
      intervalMs: INTERVAL_MS,
      runDeadlineMs: RUN_DEADLINE_MS,
      retentionMs: 24 * 3_600_000,
    }),
  );
  const router = createRpcRouter(running.signal, {
    routes: (routes) => backend.routes(routes),
    authenticator,
    clock,
    log,
  });
  const listener = network.listen({ process, router });
  onServing(backend);
  const roles = backend.run(running.signal);
  await untilAborted(process.stop.signal);
  await backend.drain(running.signal, DRAIN_MS);
  listener.close();
  running.abort(new Error("the backend stops"));
  await roles;
}

export async function runIngester(
  process: SimulatedProcess,
  { bus, database }: { readonly bus: Bus; readonly database: Database },
): Promise<void> {
  const { clock, random, log, metrics } = process;
  const runtime = { clock, random, log, metrics, tracer: noTracer };
  const options = { guard: GUARD, scrubRows: 10, windowLimits: WINDOW_LIMITS };
  await superviseIngester(process.stop.signal, { bus, database, runtime, ...options });
}

export interface AgentPorts {
  readonly cluster: string;
  readonly resources: readonly string[];
  readonly namespaces: readonly string[];
  readonly kube: KubeTransport;
  readonly openSync: SyncClient;
}

export async function runAgent(process: SimulatedProcess, ports: AgentPorts): Promise<void> {
  const { clock, random, log, metrics, stop } = process;
  await createAgent({
    ...ports,
    excludeResources: [],
    agentVersion: "0",
    tuning: TUNING,
    ...{ clock, random, log, metrics, tracer: noTracer },
  }).run(stop.signal);
}
