import type { Clock } from "./clock.ts";

/** A computation that pauses: each step yields its size. */
export type Slices<T> = Generator<number, T, undefined>;

/** Size of the steps after which others work. */
const SLICE = 128 * 1024;

/** Runs a computation to its end without a pause. */
export function runWhole<T>(slices: Slices<T>): T {
  for (;;) {
    const { value, done } = slices.next();
    if (done === true) {
      return value;
    }
  }
}

/**
 * Runs a computation and lets others use the event loop after about 128 Ki of steps: a conversion of megabytes must not
 * delay other callers.
 *
 * @throws the reason of `signal`, between two steps
 */
export async function runInSlices<T>(signal: AbortSignal, clock: Clock, slices: Slices<T>): Promise<T> {
  let size = 0;
  for (;;) {
    const step = slices.next();
    if (step.done === true) {
      return step.value;
    }
    size += step.value;
    if (size >= SLICE) {
      size = 0;
      await clock.sleep(signal, 0);
    }
  }
}
