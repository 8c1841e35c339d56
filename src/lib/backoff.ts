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
