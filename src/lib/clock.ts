import { setTimeout as delay } from "node:timers/promises";

/**
 * The time of the programs. All code outside the adapters reads it from here, so that a simulation can run
 * the same code in virtual time.
 */
export interface Clock {
  /** Returns the wall-clock time. */
  now(): Date;
  /** Returns milliseconds since an arbitrary start; never goes back. */
  monotonic(): number;
  /** Resolves after `ms`. Rejects with the signal's reason as soon as `signal` aborts. */
  sleep(signal: AbortSignal, ms: number): Promise<void>;
  /**
   * Returns a signal that aborts with `signal`, or with a {@link DeadlineError} after `ms`. Dispose it to
   * release the timer.
   */
  deadline(signal: AbortSignal, ms: number): Deadline;
}

/** A signal with a timer; disposing it stops the timer. */
export interface Deadline extends Disposable {
  readonly signal: AbortSignal;
}

/** The reason of a signal whose deadline has passed. */
export class DeadlineError extends Error {
  override readonly name = "DeadlineError";
  constructor(ms: number) {
    super(`deadline of ${ms} ms passed`);
  }
}

/** Creates the clock of the machine. */
export function createSystemClock(): Clock {
  return {
    now: () => new Date(),
    monotonic: () => performance.now(),
    async sleep(signal, ms) {
      try {
        await delay(ms, undefined, { signal });
      } catch (cause) {
        signal.throwIfAborted();
        throw cause;
      }
    },
    deadline: createDeadline,
  };
}

function createDeadline(signal: AbortSignal, ms: number): Deadline {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(new DeadlineError(ms)), ms);
  return {
    signal: AbortSignal.any([signal, controller.signal]),
    [Symbol.dispose]: () => clearTimeout(timer),
  };
}
