import { once } from "node:events";
import { FleetService } from "../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { createBackend } from "../backend/backend.ts";
import { createFleetService } from "../backend/fleet-service.ts";
import { createMemoryBus, type MemoryBus } from "../bus/memory-bus.ts";
import { TOPICS } from "../bus/topics.ts";
import type { AuthConfig } from "../config/auth-fields.ts";
import { createIngester } from "../ingester/ingester.ts";
import { toMessage } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { noMetrics } from "../lib/metrics.ts";
import { supervise } from "../lib/supervise.ts";
import { createSystemClock } from "../lib/system-clock.ts";
import { createSystemRandom } from "../lib/system-random.ts";
import { noTracer } from "../lib/tracer.ts";
import { createHealth } from "../rpc/health.ts";
import { type RpcServer, serve } from "../rpc/serve.ts";
import type { Database } from "../store/database.ts";
import { createPgIngestStore } from "../store/pg-ingest-store.ts";
import { createPgRunStore } from "../store/pg-run-store.ts";
import { createPgSessionStore } from "../store/pg-session-store.ts";
import { createPrismaFleetStore } from "../store/prisma-fleet-store.ts";
import { createAuthenticator } from "./create-authenticator.ts";

/** What the server roles need. */
export interface ServerOptions {
  readonly host: string;
  readonly port: number;
  readonly auth: AuthConfig;
  readonly database: Database;
  readonly reconcileIntervalMs: number;
  readonly runDeadlineMs: number;
  readonly log: Log;
}

/** A server that is up. */
export interface RunningServer {
  readonly url: string;
  /** Resolves once everything has ended, after `signal` has aborted. */
  readonly ended: Promise<void>;
}

/** How long agents have to leave when the server stops, in milliseconds. */
const DRAIN_TIMEOUT_MS = 3_000;

/** How long the ingester has to apply what the bus still holds, in milliseconds. */
const FINISH_TIMEOUT_MS = 10_000;

/** How long ended runs, findings and closed sessions are kept: 7 days, in milliseconds. */
const RETENTION_MS = 7 * 24 * 3_600_000;

/** Starts backend and ingester in this process, over the memory bus. */
export async function startServer(signal: AbortSignal, options: ServerOptions): Promise<RunningServer> {
  const { database, log } = options;
  const clock = createSystemClock();
  const random = createSystemRandom();
  const authenticator = createAuthenticator(options.auth, { clock, log });
  const bus = createMemoryBus();
  // Outlives the signal: agents are asked to leave while everything still works.
  const running = new AbortController();
  const backend = await createBackend(running.signal, {
    ...options,
    bus,
    clock,
    random,
    sessions: createPgSessionStore(database, clock, random),
    runs: createPgRunStore(database, clock, random),
    intervalMs: options.reconcileIntervalMs,
    retentionMs: RETENTION_MS,
  });
  const ingester = createIngester({
    bus,
    store: createPgIngestStore(database, clock),
    clock,
    random,
    log,
    metrics: noMetrics,
    tracer: noTracer,
  });
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
  const roles = Promise.all([
    backend.run(running.signal),
    supervise(running.signal, { clock, random, log, name: "ingester" }, (s) => ingester.run(s)),
  ]);
  const stop = async (rpcServer: RpcServer): Promise<void> => {
    if (!signal.aborted) {
      await once(signal, "abort");
    }
    await backend.drain(running.signal, DRAIN_TIMEOUT_MS);
    await rpcServer.close();
    await finish(running.signal, bus, options.log);
    running.abort(new Error("the server stops"));
    await roles;
    await bus.close();
  };
  return { url: rpc.url, ended: stop(rpc) };
}

/** Lets the ingester apply what agents were told to be safe: it would end with the process. */
async function finish(signal: AbortSignal, bus: MemoryBus, log: Log): Promise<void> {
  using deadline = createSystemClock().deadline(signal, FINISH_TIMEOUT_MS);
  try {
    await bus.emptied(deadline.signal, TOPICS.events);
  } catch (error) {
    log.warn("stopping before everything was applied; a run at the next connect finds what is missing", {
      error: toMessage(error),
    });
  }
}
