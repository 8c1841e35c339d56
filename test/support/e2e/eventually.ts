import { setTimeout as sleep } from "node:timers/promises";

/** Time limit and interval of {@link eventually}. */
export interface WaitOptions {
  /** Default 90 s: a program that starts on a busy machine takes that long, and a wait ends with its condition. */
  readonly timeoutMs?: number;
  /** Default 50 ms. */
  readonly intervalMs?: number;
}

/**
 * Polls until `look` no longer throws, and returns its result: put `expect` in it. After the time limit the
 * error names the expected condition and the last failure.
 */
export async function eventually<T>(
  what: string,
  look: () => T | Promise<T>,
  { timeoutMs = 90_000, intervalMs = 50 }: WaitOptions = {},
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await look();
    } catch (cause) {
      if (performance.now() > deadline) {
        const seen = cause instanceof Error ? cause.message : String(cause);
        throw new Error(`waited ${timeoutMs} ms for ${what}; last seen: ${seen}`, { cause });
      }
    }
    await sleep(intervalMs);
  }
}
