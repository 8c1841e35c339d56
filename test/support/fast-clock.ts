import { type Clock, createSystemClock } from "../../src/lib/clock.ts";

/**
 * Returns the machine's clock with time multiplied by a factor, for code that waits half a minute beside real
 * I/O.
 */
export function createFastClock(factor: number): Clock {
  const clock = createSystemClock();
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic() * factor,
    sleep: (signal, ms) => clock.sleep(signal, ms / factor),
    deadline: (signal, ms) => clock.deadline(signal, ms / factor),
  };
}
