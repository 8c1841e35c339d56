import { sleepUnlessAborted } from "../../lib/abort.ts";
import type { Clock } from "../../lib/clock.ts";
import { RetryableError } from "../../lib/errors.ts";
import { createOutageLog, type Log } from "../../lib/log.ts";
import type { SessionStore } from "../../store/session-store.ts";
import type { SessionRegistry } from "./session-registry.ts";
import type { StandbyRegistry } from "./standby-registry.ts";

export interface SessionKeeperOptions {
  readonly sessions: SessionStore;
  readonly registry: SessionRegistry;
  readonly standbys: StandbyRegistry;
  readonly clock: Clock;
  readonly log: Log;
}

/** Interval between two confirmations, in milliseconds. */
const TICK_MS = 1_000;

/**
 * Confirms in Postgres that the sessions and standbys of this backend live, ends sessions that were replaced at another
 * backend or that lost a scope, and wakes standbys whose cluster is vacant, until `signal` aborts.
 *
 * It waits for Postgres only. If it waited for the bus too, sessions would count as silent during an outage of the bus,
 * and standbys would take them over.
 */
export async function keepStreams(signal: AbortSignal, options: SessionKeeperOptions): Promise<void> {
  const { clock, log } = options;
  const outage = createOutageLog(log, {
    failed: "sessions not confirmed; retrying",
    worked: "sessions confirmed again",
  });
  while (!signal.aborted) {
    try {
      await keep(signal, options);
      outage.worked();
    } catch (error) {
      if (!signal.aborted) {
        outage.failed(error);
      }
    }
    await sleepUnlessAborted(signal, clock, TICK_MS);
  }
}

async function keep(
  signal: AbortSignal,
  { sessions, registry, standbys, log }: SessionKeeperOptions,
): Promise<void> {
  const own = registry.list().map(({ identity }) => identity);
  for (const ended of own.length > 0 ? await sessions.keepSessions(signal, own) : []) {
    const { session } = ended;
    if (ended.type === "replaced") {
      registry.endReplaced(session);
    } else {
      const { reason } = ended;
      log.warn("session restarted", { cluster: session.cluster, reason });
      registry.find(session)?.end(new RetryableError(`session of cluster "${session.cluster}": ${reason}`));
    }
  }
  const waiting = standbys.list().map(({ agent }) => agent);
  for (const vacant of waiting.length > 0 ? await sessions.keepStandbys(signal, waiting) : []) {
    standbys.wake(vacant);
  }
}
