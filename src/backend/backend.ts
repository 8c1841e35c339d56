import type { ConnectRouter } from "@connectrpc/connect";
import { ReconciliationTrigger } from "../../gen/proto/evenkeel/v1/batch_pb.ts";
import { SyncService } from "../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import { type Bus, ensureSubscription } from "../bus/bus.ts";
import { BACKEND_SUBSCRIPTION, INGESTER_SUBSCRIPTION, replyTopic, TOPICS } from "../event/topics.ts";
import { sleepUnlessAborted } from "../lib/abort.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import { supervise } from "../lib/supervise.ts";
import type { Metrics, Tracer } from "../lib/telemetry.ts";
import { SYNC_LIMITS } from "../rpc/server/service-limits.ts";
import type { RequestedRun, RunStore } from "../store/run-store.ts";
import type { SessionStore } from "../store/session-store.ts";
import { routeInventories } from "./runs/inventory-router.ts";
import { requestRun } from "./runs/request-run.ts";
import { scheduleRuns } from "./runs/run-scheduler.ts";
import { OpeningTurns } from "./sync/opening-turns.ts";
import { keepStreams } from "./sync/session-keeper.ts";
import { SessionRegistry } from "./sync/session-registry.ts";
import { StandbyRegistry } from "./sync/standby-registry.ts";
import { type AgentMemory, createSyncService } from "./sync/sync-service.ts";

export interface BackendOptions {
  readonly bus: Bus;
  readonly memory: AgentMemory;
  readonly sessions: SessionStore;
  readonly runs: RunStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly tracer: Tracer;
  /** Interval between the starts of two runs of a cluster, in milliseconds. */
  readonly intervalMs: number;
  /** Deadline of a run, in milliseconds. */
  readonly runDeadlineMs: number;
  /** Retention of ended runs, their findings and closed sessions, in milliseconds. */
  readonly retentionMs: number;
}

/** Accepts agents, publishes their messages, and requests runs. */
export interface Backend {
  /** Registers `SyncService`. */
  routes(router: ConnectRouter): void;
  /** Schedules runs, routes inventories and keeps sessions alive until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
  /**
   * Requests a run with the trigger `MANUAL`.
   *
   * @throws the errors of {@link RunStore.createRun}.
   */
  startRun(
    signal: AbortSignal,
    account: string,
    cluster: string,
    run?: { readonly id?: string; readonly dryRun?: boolean },
  ): Promise<RequestedRun>;
  /** Requests that every agent reconnects later, and waits until they have left, for at most `timeoutMs`. */
  drain(signal: AbortSignal, timeoutMs: number): Promise<void>;
}

/** Range over which a drain spreads the reconnect delays of agents, in milliseconds. */
const DRAIN_SPREAD_MS = 2_000;

/**
 * Creates a backend. It serves agents after its routes are registered on a port, and routes inventories to
 * them while {@link Backend.run} runs.
 */
export async function createBackend(signal: AbortSignal, options: BackendOptions): Promise<Backend> {
  const { bus, random, clock, memory, runDeadlineMs } = options;
  const registry = new SessionRegistry();
  const standbys = new StandbyRegistry();
  options.metrics.gauge(
    "evenkeel_backend_sessions",
    "Agents that are connected to this backend",
    () => registry.list().length,
  );
  options.metrics.gauge(
    "evenkeel_backend_standbys",
    "Agents that wait at this backend for the session of their cluster",
    () => standbys.list().length,
  );
  options.metrics.gauge(
    "evenkeel_backend_memory_bytes",
    "Memory that streams of agents and their messages take of the budget",
    () => memory.agents.bytes + memory.messages.bytes,
  );
  options.metrics.gauge(
    "evenkeel_backend_memory_limit_bytes",
    "Memory budget for streams of agents and their messages",
    () => memory.agents.limit + memory.messages.limit,
  );
  options.metrics.gauge("evenkeel_backend_queued_bytes", "Bytes of batches that wait for slow agents", () =>
    registry.list().reduce((sum, { outbox }) => sum + outbox.bytes, 0),
  );
  const own = replyTopic(random.uuid());
  // Create both subscriptions first: otherwise messages acknowledged to agents could miss the ingester, and
  // inventories could miss this backend.
  await ensureSubscription(signal, bus, TOPICS.events, INGESTER_SUBSCRIPTION);
  await ensureSubscription(signal, bus, own, BACKEND_SUBSCRIPTION);
  const producer = await bus.createProducer(signal, TOPICS.events);
  const turns = new OpeningTurns();
  const shared = { ...options, registry, standbys, turns, producer, replyTopic: own };
  return {
    routes: (router) => {
      router.service(SyncService, createSyncService(shared), SYNC_LIMITS);
    },

    async run(runSignal) {
      const log = options.log;
      await Promise.all([
        supervise(runSignal, { clock, random, log, name: "inventory router" }, (s) =>
          routeInventories(s, shared),
        ),
        supervise(runSignal, { clock, random, log, name: "session keeper" }, (s) => keepStreams(s, shared)),
        supervise(runSignal, { clock, random, log, name: "run scheduler" }, (s) => scheduleRuns(s, shared)),
      ]);
      await producer.close();
    },

    startRun: (callSignal, account, cluster, run) =>
      requestRun(callSignal, shared, {
        account,
        cluster,
        ...run,
        trigger: ReconciliationTrigger.MANUAL,
        deadlineMs: runDeadlineMs,
      }),

    async drain(drainSignal, timeoutMs) {
      using deadline = clock.deadline(drainSignal, timeoutMs);
      for (const session of registry.list()) {
        session.outbox.drain(Math.ceil(random.float() * DRAIN_SPREAD_MS));
      }
      for (const standby of standbys.list()) {
        standby.drain(Math.ceil(random.float() * DRAIN_SPREAD_MS));
      }
      while (registry.list().length + standbys.list().length > 0 && !deadline.signal.aborted) {
        await sleepUnlessAborted(deadline.signal, clock, 20);
      }
    },
  };
}
