import { setTimeout as delay } from "node:timers/promises";
import { type Clock, type Deadline, DeadlineError } from "./clock.ts";

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
