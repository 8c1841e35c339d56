import { createBackoff } from "./backoff.ts";
import type { Clock } from "./clock.ts";
import { RetryableError } from "./errors.ts";
import type { Log } from "./log.ts";
import { createOutageLog } from "./outage-log.ts";
import type { Random } from "./random.ts";

/** What waiting between attempts needs. */
export interface RetryOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** What is attempted, for the log: "opening the bus". */
  readonly name: string;
}

/**
 * Repeats an attempt with jittered backoff while it rejects with `RetryableError`; rejects with any other error, and with
 * the signal's reason once that aborts.
 */
export async function retry<T>(
  signal: AbortSignal,
  { clock, random, log, name }: RetryOptions,
  attempt: () => Promise<T>,
): Promise<T> {
  const backoff = createBackoff(random, { initialMs: 250, maxMs: 10_000 });
  const outage = createOutageLog(log, {
    failed: `${name} failed, and is tried again`,
    worked: `${name} succeeded`,
  });
  for (;;) {
    try {
      const value = await attempt();
      outage.worked();
      return value;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof RetryableError)) {
        throw error;
      }
      outage.failed(error);
      await clock.sleep(signal, Math.max(backoff.nextMs(), error.retryAfterMs ?? 0));
    }
  }
}
