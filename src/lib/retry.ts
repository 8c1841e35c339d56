import type { Clock } from "./clock.ts";
import { RetryableError } from "./errors.ts";
import { createOutageLog, type Log } from "./log.ts";
import type { Random } from "./random.ts";

/** Shape of an exponential backoff, in milliseconds. */
export interface BackoffOptions {
  readonly initialMs: number;
  readonly maxMs: number;
}

/** The delays between attempts of one operation. */
export interface Backoff {
  /** Returns the next delay. Each call counts as one more failure. */
  nextMs(): number;
  /** Starts again at the first delay. Call it after a success. */
  reset(): void;
}

/**
 * Creates an exponential backoff with full jitter: a delay is uniform in [0, min(max, initial * 2^failures)).
 * Clients that failed together then do not retry together (M. Brooker, "Exponential Backoff And Jitter",
 * 2015).
 */
export function createBackoff(random: Random, { initialMs, maxMs }: BackoffOptions): Backoff {
  let failures = 0;
  return {
    nextMs() {
      const ceiling = Math.min(maxMs, initialMs * 2 ** failures);
      failures = Math.min(failures + 1, 30);
      return Math.ceil(random.float() * ceiling);
    },
    reset() {
      failures = 0;
    },
  };
}

export interface RetryOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Name of the attempt in the log, such as "opening the bus". */
  readonly name: string;
  /** Delays between attempts; default 250 ms to 10 s. */
  readonly backoff?: BackoffOptions;
  /** Decides if another attempt follows an error; default: only after a {@link RetryableError}. */
  readonly classify?: (error: unknown) => RetryDecision;
  /** Called before each wait with the error of the attempt before it. */
  readonly onWait?: (error: unknown) => void;
}

/** The reaction to an error: another attempt, or rejection with the error. */
export type RetryDecision = "retry" | "fail";

const DEFAULT_BACKOFF: BackoffOptions = { initialMs: 250, maxMs: 10_000 };

/**
 * Repeats an attempt until it succeeds. The delay is a jittered backoff, but at least the error's
 * `retryAfterMs`. Rejects with the first error that is not retried, and with the signal's reason if it
 * aborts. Logs an outage once, not each attempt.
 */
export async function retry<T>(
  signal: AbortSignal,
  options: RetryOptions,
  attempt: () => Promise<T>,
): Promise<T> {
  const { clock, random, log, name, classify = retryRetryable } = options;
  const backoff = createBackoff(random, options.backoff ?? DEFAULT_BACKOFF);
  const outage = createOutageLog(log, { failed: `${name} failed; retrying`, worked: `${name} succeeded` });
  for (;;) {
    try {
      const value = await attempt();
      outage.worked();
      return value;
    } catch (error) {
      signal.throwIfAborted();
      if (classify(error) === "fail") {
        throw error;
      }
      outage.failed(error);
      options.onWait?.(error);
      const retryAfterMs = error instanceof RetryableError ? (error.retryAfterMs ?? 0) : 0;
      await clock.sleep(signal, Math.max(backoff.nextMs(), retryAfterMs));
    }
  }
}

function retryRetryable(error: unknown): RetryDecision {
  return error instanceof RetryableError ? "retry" : "fail";
}
