import { FleetService } from "../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { createBackend } from "../backend/backend.ts";
import { createFleetService } from "../backend/fleet/fleet-service.ts";
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
import type { Database } from "../store/postgres/database.ts";
import { createPgFleetStore } from "../store/postgres/pg-fleet-store.ts";
import { createPgRunStore } from "../store/postgres/pg-run-store.ts";
import { createPgSessionStore } from "../store/postgres/pg-session-store.ts";
import type { ReadinessCheck } from "../telemetry/serve-probes.ts";
import { openProgramContext } from "./program-context.ts";
import type { Runtime } from "./runtime.ts";

/** Runs `evenkeel backend` until `signal` aborts. A broker or a database that is away is waited for. */
export async function runBackend(signal: AbortSignal, config: BackendConfig): Promise<void> {
  let isServing = false;
  const port: ReadinessCheck = {
    name: "port",
    async check() {
      if (!isServing) {
        throw new RetryableError("not open yet: the bus cannot be joined; the log says why");
      }
    },
  };
  await using opened = await openProgramContext(signal, "evenkeel-backend", config, { checks: [port] });
  const { log } = opened.runtime;
  const backend = await startBackend(signal, { ...config, ...opened }).catch((error: unknown) => {
    if (!signal.aborted) {
      throw error;
    }
  });
  if (backend === undefined) {
    log.info("stopped before the bus could be joined");
    return;
  }
  isServing = true;
  log.info(config.auth.type === "none" ? "serving without authentication, on loopback only" : "serving", {
    url: backend.url,
  });
  await backend.ended;
  log.info("stopped");
}

/** What a backend needs. */
export interface BackendRunOptions {
  readonly host: string;
  readonly port: number;
  readonly auth: AuthConfig;
  readonly reconcileIntervalMs: number;
  readonly runDeadlineMs: number;
  readonly bus: Bus;
  readonly database: Database;
  readonly runtime: Runtime;
}

/** A part that is up. */
export interface RunningBackend {
  readonly url: string;
  /** Resolves once everything has ended, after the signal has aborted. */
  readonly ended: Promise<void>;
}

/** How long agents have to leave when the backend stops, in milliseconds. */
const DRAIN_TIMEOUT_MS = 3_000;

/** How long ended runs, findings and closed sessions are kept: 7 days, in milliseconds. */
const RETENTION_MS = 7 * 24 * 3_600_000;

/**
 * Starts a backend on its port, as soon as the bus can be reached. When `signal` aborts it takes no new agents, asks those it has to leave, and ends
 * once what they had sent is on the bus.
 */
export async function startBackend(signal: AbortSignal, options: BackendRunOptions): Promise<RunningBackend> {
  const { database, bus, runtime } = options;
  const { clock, random, log } = runtime;
  const authenticator = createAuthenticator(options.auth, runtime);
  // Outlives the signal: agents are asked to leave while everything still works.
  const running = new AbortController();
  const backend = await retry(signal, { ...runtime, name: "joining the bus" }, () =>
    createBackend(running.signal, {
      ...runtime,
      bus,
      sessions: createPgSessionStore(database, clock, random),
      runs: createPgRunStore(database, clock, random),
      intervalMs: options.reconcileIntervalMs,
      runDeadlineMs: options.runDeadlineMs,
      retentionMs: RETENTION_MS,
    }),
  );
  const fleet = createFleetService({
    store: createPgFleetStore(database, clock),
    clock,
    startRun: backend.startRun,
  });
  const rpc = await serve(running.signal, {
    host: options.host,
    port: options.port,
    routes(router) {
      backend.routes(router);
      router.service(FleetService, fleet);
      createHealth().register(router);
    },
    authenticator,
    clock,
    log,
  });
  const roles = backend.run(running.signal);
  const stop = async (): Promise<void> => {
    await untilAborted(signal);
    await backend.drain(running.signal, DRAIN_TIMEOUT_MS);
    await rpc.close();
    running.abort(new Error("the backend stops"));
    await roles;
  };
  return { url: rpc.url, ended: stop() };
}

/** The authenticator that was configured. Throws `ConfigError` when its keys cannot be read. */
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
