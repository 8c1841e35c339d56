import type { Clock } from "./clock.ts";

/** Sleeps, and returns early when `signal` aborts. */
export async function sleepUnlessAborted(signal: AbortSignal, clock: Clock, ms: number): Promise<void> {
  try {
    await clock.sleep(signal, ms);
  } catch (error) {
    if (!signal.aborted) {
      throw error;
    }
  }
}
