import { sleepUnlessAborted } from "./abort.ts";
import type { Clock } from "./clock.ts";
import { createOutageLog, type Log } from "./log.ts";
import type { Random } from "./random.ts";
import { createBackoff } from "./retry.ts";

export interface SuperviseOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Name of the part in the log. */
  readonly name: string;
}

/** Time after which a part is treated as healthy, so that the backoff starts again; in milliseconds. */
const HEALTHY_MS = 10_000;

/**
 * Longest delay, in milliseconds. A process has two or three such parts, and while one is down, no event is
 * applied or no request is answered. That justifies an attempt every few seconds for as long as the bus is
 * unavailable.
 */
const MAX_DELAY_MS = 5_000;

/**
 * Runs a long-lived part until `signal` aborts. Restarts it with jittered backoff each time it resolves or
 * rejects before that.
 */
export async function supervise(
  signal: AbortSignal,
  { clock, random, log, name }: SuperviseOptions,
  run: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const backoff = createBackoff(random, { initialMs: 250, maxMs: MAX_DELAY_MS });
  const outage = createOutageLog(log, {
    failed: `${name} failed; restarting`,
    worked: `${name} recovered; running for ${HEALTHY_MS / 1000} s`,
  });
  while (!signal.aborted) {
    const ended = new AbortController();
    const running = AbortSignal.any([signal, ended.signal]);
    void sleepUnlessAborted(running, clock, HEALTHY_MS).then(() => {
      if (!running.aborted) {
        backoff.reset();
        outage.worked();
      }
    });
    try {
      await run(signal);
    } catch (error) {
      if (!signal.aborted) {
        outage.failed(error);
      }
    } finally {
      ended.abort();
    }
    await sleepUnlessAborted(signal, clock, backoff.nextMs());
  }
}
