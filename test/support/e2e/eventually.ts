import { setTimeout as sleep } from "node:timers/promises";

/** How long, and how often, {@link eventually} looks. */
export interface WaitOptions {
  /** Default 10 s. */
  readonly timeoutMs?: number;
  /** Default 50 ms. */
  readonly intervalMs?: number;
}

/**
 * Looks until `look` throws no more, and returns what it returned: put `expect` in it. When that takes too long, the
 * error says what was waited for and what was seen last.
 */
export async function eventually<T>(
  what: string,
  look: () => T | Promise<T>,
  { timeoutMs = 10_000, intervalMs = 50 }: WaitOptions = {},
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
