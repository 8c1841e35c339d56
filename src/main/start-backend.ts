import { once } from "node:events";
import { FleetService } from "../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { createBackend } from "../backend/backend.ts";
import { createFleetService } from "../backend/fleet/fleet-service.ts";
import type { Bus } from "../bus/bus.ts";
import type { AuthConfig } from "../config/fields/auth.ts";
import { retry } from "../lib/retry.ts";
import { createHealth } from "../rpc/server/health.ts";
import { serve } from "../rpc/server/serve.ts";
import type { Database } from "../store/postgres/database.ts";
import { createPrismaFleetStore } from "../store/postgres/pg-fleet-store.ts";
import { createPgRunStore } from "../store/postgres/pg-run-store.ts";
import { createPgSessionStore } from "../store/postgres/pg-session-store.ts";
import { createAuthenticator } from "./create-authenticator.ts";
import type { Runtime } from "./runtime.ts";

/** What a backend needs. */
export interface BackendDependencies {
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
export async function startBackend(
  signal: AbortSignal,
  options: BackendDependencies,
): Promise<RunningBackend> {
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
    store: createPrismaFleetStore(database, clock),
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
    if (!signal.aborted) {
      await once(signal, "abort");
    }
    await backend.drain(running.signal, DRAIN_TIMEOUT_MS);
    await rpc.close();
    running.abort(new Error("the backend stops"));
    await roles;
  };
  return { url: rpc.url, ended: stop() };
}
