import { ReconciliationTrigger } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { sampleFairly } from "../../domain/sample-fairly.ts";
import { sleepUnlessAborted } from "../../lib/abort.ts";
import { ConflictError, TerminalError } from "../../lib/errors.ts";
import { createOutageLog, type Log } from "../../lib/log.ts";
import type { Random } from "../../lib/random.ts";
import type { SessionKey } from "../../store/session-store.ts";
import { publishLeftRequests, type RequestRunOptions, requestRun } from "./request-run.ts";

export interface RunSchedulerOptions extends RequestRunOptions {
  readonly random: Random;
  readonly log: Log;
  /** Interval between the starts of two runs of a cluster, in milliseconds. */
  readonly intervalMs: number;
  readonly runDeadlineMs: number;
  /** Retention of ended runs, their findings and closed sessions, in milliseconds. */
  readonly retentionMs: number;
}

/** Interval between two ticks, in milliseconds. */
const TICK_MS = 1_000;

/** Most runs that one tick starts. It spreads the runs of a fleet that connected at the same time. */
const MAX_STARTS = 10;

/** Runs that begin side by side. Each takes a connection, perhaps to wait for the lock of its cluster. */
const STARTS_AT_ONCE = 4;

const PURGE_EVERY_TICKS = 600;

/**
 * Requests due runs of the clusters whose sessions this backend owns, and ends runs past their deadline, until `signal`
 * aborts.
 *
 * All decisions derive from stored times, so restarts of a backend at any time are harmless. A tick that
 * fails, for example while the database is unreachable, is retried at the next tick.
 */
export async function scheduleRuns(signal: AbortSignal, options: RunSchedulerOptions): Promise<void> {
  const { clock, log } = options;
  const outage = createOutageLog(log, {
    failed: "scheduling of runs failed; retrying",
    worked: "scheduling of runs recovered",
  });
  for (let tickCount = 0; !signal.aborted; tickCount += 1) {
    try {
      await tick(signal, options, tickCount);
      outage.worked();
    } catch (error) {
      if (!signal.aborted) {
        outage.failed(error);
      }
    }
    await sleepUnlessAborted(signal, clock, TICK_MS);
  }
}

async function tick(signal: AbortSignal, options: RunSchedulerOptions, tickCount: number): Promise<void> {
  const { runs, registry, intervalMs, retentionMs } = options;
  // This backend, and not the database, knows if an agent has declared its scope, because a restored database may have
  // lost it. Then the request, which follows the scope, proves the loss.
  const sessions = registry.list().filter(({ hasScope }) => hasScope);
  const ownSessions = sessions.map(({ identity }) => identity);
  await runs.expireRuns(signal);
  await publishLeftRequests(signal, options, sessions);
  const due = ownSessions.length > 0 ? await runs.listDue(signal, ownSessions, intervalMs) : [];
  await beginAll(signal, options, sampleFairly(options.random, due, MAX_STARTS));
  if (tickCount % PURGE_EVERY_TICKS === 0) {
    await runs.purge(signal, retentionMs);
  }
}

/**
 * Begins the runs side by side, so that a cluster that waits or fails delays no other.
 *
 * @throws the first error, after all have been tried
 */
async function beginAll(
  signal: AbortSignal,
  options: RunSchedulerOptions,
  sessions: readonly SessionKey[],
): Promise<void> {
  const queue = sessions.values();
  const errors: unknown[] = [];
  const beginInTurn = async (): Promise<void> => {
    for (const session of queue) {
      try {
        await begin(signal, options, session);
      } catch (error) {
        errors.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: STARTS_AT_ONCE }, beginInTurn));
  if (errors.length > 0) {
    throw errors[0];
  }
}

async function begin(
  signal: AbortSignal,
  options: RunSchedulerOptions,
  { account, cluster }: SessionKey,
): Promise<void> {
  const { runDeadlineMs: deadlineMs, log } = options;
  try {
    await requestRun(signal, options, {
      account,
      cluster,
      trigger: ReconciliationTrigger.INTERVAL,
      deadlineMs,
    });
  } catch (error) {
    if (error instanceof ConflictError) {
      return;
    }
    if (!(error instanceof TerminalError)) {
      throw error;
    }
    log.info("due run not started", { cluster, error: error.message });
  }
}
