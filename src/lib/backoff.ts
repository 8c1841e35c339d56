import type { Random } from "./random.ts";

/** Shape of an exponential backoff, in milliseconds. */
export interface BackoffOptions {
  readonly initialMs: number;
  readonly maxMs: number;
}

/** Delays between attempts at the same thing. */
export interface Backoff {
  /** The next delay; each call counts as one more failure. */
  nextMs(): number;
  /** To be called after a success. */
  reset(): void;
}

/**
 * Exponential backoff with full jitter: a delay is uniform in [0, min(max, initial * 2^failures)), so that many
 * that failed together do not come back together (M. Brooker, "Exponential Backoff And Jitter", 2015).
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
