import { FleetService } from "../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { SyncService } from "../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import { createBackend } from "../backend/backend.ts";
import { createFleetService } from "../backend/fleet/fleet-service.ts";
import { createFreshnessMonitor } from "../backend/fleet/freshness-monitor.ts";
import type { Bus } from "../bus/bus.ts";
import type { AuthConfig } from "../config/fields/auth.ts";
import type { BackendConfig } from "../config/programs/server.ts";
import { untilAborted } from "../lib/abort.ts";
import type { Clock } from "../lib/clock.ts";
import { RetryableError } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { retry } from "../lib/retry.ts";
import { type Authenticator, createAnonymousAuthenticator } from "../rpc/auth/authenticator.ts";
import { createJwtAuthenticator } from "../rpc/auth/jwt-authenticator.ts";
import { createHealth } from "../rpc/server/health.ts";
import { serve } from "../rpc/server/serve.ts";
import { createDatabase, type Database } from "../store/postgres/database.ts";
import { createPgDeletionStore } from "../store/postgres/pg-deletion-store.ts";
import { createPgFleetStore } from "../store/postgres/pg-fleet-store.ts";
import { createPgFreshnessStore } from "../store/postgres/pg-freshness-store.ts";
import { createPgRunStore } from "../store/postgres/pg-run-store.ts";
import { createPgSessionStore } from "../store/postgres/pg-session-store.ts";
import type { ReadinessCheck } from "../telemetry/serve-probes.ts";
import { createAgentMemory, readMemoryFacts, toMemoryLimit } from "./memory-limit.ts";
import { openProgramContext } from "./program-context.ts";
import type { Runtime } from "./runtime.ts";
import { createStopDeadline } from "./stop-deadline.ts";

/** Runs `evenkeel backend` until `signal` aborts. Waits for a broker or a database that is unavailable. */
export async function runBackend(signal: AbortSignal, config: BackendConfig): Promise<void> {
  let isServing = false;
  const port: ReadinessCheck = {
    name: "port",
    async check() {
      if (!isServing) {
        throw new RetryableError("not open: the backend has not joined the bus; see the log");
      }
    },
  };
  await using opened = await openProgramContext(signal, "evenkeel-backend", config, { checks: [port] });
  const { log, clock } = opened.runtime;
  using deadline = createStopDeadline(signal, clock);
  await using reads = createDatabase({
    url: config.databaseUrl,
    maxConnections: READ_CONNECTIONS,
    abort: deadline.signal,
  });
  const backend = await startBackend(signal, { ...config, ...opened, reads }).catch((error: unknown) => {
    if (!signal.aborted) {
      throw error;
    }
  });
  if (backend === undefined) {
    log.info("backend stopped before it joined the bus");
    return;
  }
  isServing = true;
  log.info("backend started", { url: backend.url, authentication: config.auth.type });
  await backend.ended;
  log.info("backend stopped");
}

export interface BackendRunOptions {
  readonly host: string;
  readonly port: number;
  readonly auth: AuthConfig;
  /** Memory that the process may take, in bytes; default: that of {@link toMemoryLimit}. */
  readonly memoryLimit?: number | undefined;
  readonly reconcileIntervalMs: number;
  readonly runDeadlineMs: number;
  readonly bus: Bus;
  readonly database: Database;
  /** Connections of queries, so that they and the agents never wait for each other's; default: those of `database`. */
  readonly reads?: Database;
  /** Default false. */
  readonly allowDuplicateClusters?: boolean;
  readonly runtime: Runtime;
}

/** A backend that accepts requests. */
export interface RunningBackend {
  readonly url: string;
  /** Resolves when all parts have ended after the abort of the signal. */
  readonly ended: Promise<void>;
}

/** Connections to the database for queries. */
export const READ_CONNECTIONS = 5;

/** Time for agents to disconnect when the backend stops, in milliseconds. */
const DRAIN_TIMEOUT_MS = 3_000;

/** Retention of ended runs, findings and closed sessions: 7 days, in milliseconds. */
const RETENTION_MS = 7 * 24 * 3_600_000;

/**
 * Joins the bus and starts a backend on its port. When `signal` aborts, the backend accepts no new agents,
 * drains the connected ones, and ends when their messages are on the bus.
 */
export async function startBackend(signal: AbortSignal, options: BackendRunOptions): Promise<RunningBackend> {
  const { database, bus, runtime } = options;
  const { clock, random, log } = runtime;
  const authenticator = createAuthenticator(options.auth, runtime);
  const memory = createAgentMemory(options.memoryLimit ?? toMemoryLimit(readMemoryFacts()));
  // The parts must outlive the signal: the drain needs them.
  const running = new AbortController();
  const backend = await retry(signal, { ...runtime, name: "joining the bus" }, () =>
    createBackend(running.signal, {
      ...runtime,
      bus,
      memory,
      sessions: createPgSessionStore(database, random, options),
      runs: createPgRunStore(database, random),
      intervalMs: options.reconcileIntervalMs,
      runDeadlineMs: options.runDeadlineMs,
      retentionMs: RETENTION_MS,
    }),
  );
  const reads = options.reads ?? database;
  const freshness = createFreshnessMonitor({
    ...runtime,
    store: createPgFreshnessStore(reads),
    intervalMs: options.reconcileIntervalMs,
  });
  const fleet = createFleetService({
    store: createPgFleetStore(reads, clock),
    deletions: createPgDeletionStore(database),
    clock,
    startRun: backend.startRun,
  });
  const health = createHealth();
  const setServing = (serving: boolean): void => {
    // The empty name is the server as a whole.
    for (const service of ["", FleetService.typeName, SyncService.typeName]) {
      health.set(service, serving);
    }
  };
  setServing(true);
  const rpc = await serve(running.signal, {
    host: options.host,
    port: options.port,
    routes(router) {
      backend.routes(router);
      router.service(FleetService, fleet);
      health.register(router);
    },
    isLocalOnly: options.auth.type === "none",
    memory: memory.messages,
    authenticator,
    clock,
    log,
  });
  const roles = Promise.all([backend.run(running.signal), freshness.run(running.signal)]);
  const stop = async (): Promise<void> => {
    await untilAborted(signal);
    setServing(false);
    await backend.drain(running.signal, DRAIN_TIMEOUT_MS);
    await rpc.close();
    running.abort(new Error("the backend stops"));
    await roles;
  };
  return { url: rpc.url, ended: stop() };
}

/**
 * Creates the configured authenticator.
 *
 * @throws ConfigError if its keys cannot be read.
 */
export function createAuthenticator(
  auth: AuthConfig,
  dependencies: { readonly clock: Clock; readonly log: Log },
): Authenticator {
  switch (auth.type) {
    case "tokens":
      return createJwtAuthenticator({ ...auth, ...dependencies });
    case "none":
      return createAnonymousAuthenticator();
    default:
      return auth satisfies never;
  }
}
