import { type Deadline, DeadlineError } from "../../src/lib/clock.ts";

/** Runs `fire` after `ms` of a clock, and returns a function that cancels it. */
export type Schedule = (ms: number, fire: () => void) => () => void;

/** Implements `Clock.sleep` on a schedule. */
export async function sleepOn(schedule: Schedule, signal: AbortSignal, ms: number): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const cancel = schedule(ms, resolve);
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await promise;
  } finally {
    cancel();
    signal.removeEventListener("abort", onAbort);
  }
}

/** Implements `Clock.deadline` on a schedule. */
export function deadlineOn(schedule: Schedule, signal: AbortSignal, ms: number): Deadline {
  const controller = new AbortController();
  const cancel = schedule(ms, () => controller.abort(new DeadlineError(ms)));
  return { signal: AbortSignal.any([signal, controller.signal]), [Symbol.dispose]: cancel };
}
