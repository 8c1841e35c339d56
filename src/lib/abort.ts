import { once } from "node:events";
import type { Clock, DeadlineError } from "./clock.ts";

/** A signal that never aborts, for waits that only their own deadline limits. */
export const NEVER: AbortSignal = new AbortController().signal;

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

/** True if the error is the DOMException of an aborted operation, or has its name. */
export function isAbortError(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}

/** Returns when `signal` aborts. */
export async function untilAborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) {
    await once(signal, "abort");
  }
}

/** Waits for the promise. Rejects with the signal's reason as soon as `signal` aborts. */
export async function waitFor<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  // After an abort nothing handles a later rejection of the promise.
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

/**
 * Runs `work` with a signal that aborts with `signal` or after `ms`, and returns its result. If `work`
 * rejects because the time is over, calls `onTimeout` and returns its result or throws its error.
 */
export async function withinDeadline<T>(
  signal: AbortSignal,
  clock: Clock,
  ms: number,
  work: (signal: AbortSignal) => Promise<T>,
  onTimeout: (error: DeadlineError) => T,
): Promise<T> {
  using deadline = clock.deadline(signal, ms);
  try {
    return await work(deadline.signal);
  } catch (error) {
    // `work` may have its own deadlines: only the reason of this signal proves that this deadline has passed.
    if (!deadline.signal.aborted || error !== deadline.signal.reason) {
      throw error;
    }
    signal.throwIfAborted();
    return onTimeout(deadline.signal.reason);
  }
}
