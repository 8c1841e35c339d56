import { once } from "node:events";
import type { Clock, DeadlineError } from "./clock.ts";

/** A signal that never aborts. Pass it, or combine it with a timer; its listeners are never called. */
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

/** Returns when `signal` aborts. */
export async function untilAborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) {
    await once(signal, "abort");
  }
}

/** Waits for the promise, or rejects with the signal's reason as soon as `signal` aborts. */
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
 * Gives `work` a signal that aborts with `signal`, or after `ms`. Returns what `work` returns; when it rejects because
 * the time is over, returns what `onTimeout` returns, or throws what that throws.
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
    // Work may have deadlines of its own, so only this signal's reason means that this time is over.
    if (!deadline.signal.aborted || error !== deadline.signal.reason) {
      throw error;
    }
    signal.throwIfAborted();
    return onTimeout(deadline.signal.reason);
  }
}
