import { ReconciliationTrigger } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { sleepUnlessAborted } from "../../lib/abort.ts";
import { ConflictError, TerminalError } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import { createOutageLog } from "../../lib/outage-log.ts";
import type { Random } from "../../lib/random.ts";
import type { SessionKey, SessionStore } from "../../store/session-store.ts";
import type { SessionRegistry } from "../sync/session-registry.ts";
import { type RequestRunOptions, requestRun } from "./request-run.ts";
import { sampleFairly } from "./sample-fairly.ts";

/** What scheduling needs. */
export interface RunSchedulerOptions extends RequestRunOptions {
  readonly sessions: SessionStore;
  readonly registry: SessionRegistry;
  readonly random: Random;
  readonly log: Log;
  /** Time between the beginnings of two runs of a cluster, in milliseconds. */
  readonly intervalMs: number;
  readonly runDeadlineMs: number;
  /** How long ended runs, their findings and closed sessions are kept, in milliseconds. */
  readonly retentionMs: number;
}

/** Time between two looks, in milliseconds. */
const TICK_MS = 1_000;

/** Most runs begun in one look, so that a fleet that connected at once is spread over the time after. */
const MAX_STARTS = 10;

const PURGE_EVERY_TICKS = 600;

/**
 * Asks for the runs that are due of the clusters whose sessions this backend holds, ends those past their
 * deadline, keeps the sessions alive and ends those that another backend's have replaced, until `signal` aborts.
 *
 * Everything derives from stored times, so it does not matter when or how often a backend is restarted. What fails
 * while the database is gone is tried again with the next look.
 */
export async function scheduleRuns(signal: AbortSignal, options: RunSchedulerOptions): Promise<void> {
  const { clock, log } = options;
  const outage = createOutageLog(log, {
    failed: "runs cannot be scheduled",
    worked: "runs are scheduled again",
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
  const { runs, sessions, registry, intervalMs, retentionMs } = options;
  const ownSessions = registry.list().map(({ identity }) => identity);
  for (const replaced of await sessions.keepSessions(signal, ownSessions)) {
    registry.endReplaced(replaced);
  }
  await runs.expireRuns(signal);
  const due = await runs.listDue(signal, ownSessions, intervalMs);
  for (const session of sampleFairly(options.random, due, MAX_STARTS)) {
    await begin(signal, options, session);
  }
  if (tickCount % PURGE_EVERY_TICKS === 0) {
    await runs.purge(signal, retentionMs);
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
    log.info("a run that was due did not begin", { cluster, reason: error.message });
  }
}
