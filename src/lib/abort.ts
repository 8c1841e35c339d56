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

/** Waits for the promise, or rejects with the signal's reason as soon as `signal` aborts. */
export async function waitFor<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  // Whoever stops waiting has nobody left to tell that the promise was rejected later.
  promise.catch(() => {});
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
