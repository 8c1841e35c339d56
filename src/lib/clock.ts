/**
 * Time as the programs see it. Everything outside the adapters takes it from here, so that a simulation can
 * run the same code on virtual time.
 */
export interface Clock {
  /** Wall-clock time. */
  now(): Date;
  /** Milliseconds since an arbitrary start; never goes back. */
  monotonic(): number;
  /** Resolves after `ms`; rejects with the signal's reason as soon as `signal` aborts. */
  sleep(signal: AbortSignal, ms: number): Promise<void>;
  /** A signal that aborts with `signal`, or with a {@link DeadlineError} after `ms`. Dispose it to release its timer. */
  deadline(signal: AbortSignal, ms: number): Deadline;
}

/** A signal with a timer behind it. */
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
