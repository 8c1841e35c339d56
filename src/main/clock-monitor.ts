import { sleepUnlessAborted } from "../lib/abort.ts";
import type { Clock } from "../lib/clock.ts";
import { RetryableError } from "../lib/errors.ts";
import { createOutageLog, type Log } from "../lib/log.ts";
import type { Database } from "../store/postgres/database.ts";
import { readClockSkew } from "../store/postgres/database-time.ts";
import type { ReadinessCheck } from "../telemetry/serve-probes.ts";

export interface ClockMonitorOptions {
  readonly database: Pick<Database, "pool">;
  readonly clock: Clock;
  readonly log: Log;
}

/** Compares the clock of this process with the database's. */
export interface ClockMonitor {
  /** Fails while the last measured skew exceeds the limit. Passes before the first measurement. */
  readonly check: ReadinessCheck;
  /** Measures every ten seconds until `signal` aborts, and logs the begin and the end of a skew. */
  run(signal: AbortSignal): Promise<void>;
}

/**
 * Largest accepted skew, in milliseconds. The database's clock decides everything, so no row is wrong because of a
 * skew. But the process's own times are then wrong: expiry of tokens, lag metrics, logs and traces.
 */
const MAX_SKEW_MS = 5_000;

const INTERVAL_MS = 10_000;

/** Creates a monitor. It measures while {@link ClockMonitor.run} runs. */
export function createClockMonitor({ database, clock, log }: ClockMonitorOptions): ClockMonitor {
  let problem: RetryableError | undefined;
  const outage = createOutageLog(log, {
    failed: "clock differs from the database's",
    worked: "clock agrees with the database's",
  });
  return {
    check: {
      name: "clock",
      async check() {
        if (problem !== undefined) {
          throw problem;
        }
      },
    },
    async run(signal) {
      while (!signal.aborted) {
        // Without an answer the skew is unknown; another check reports the database.
        const skew = await readClockSkew(database, clock).catch(() => undefined);
        if (skew !== undefined) {
          problem = Math.abs(skew) > MAX_SKEW_MS ? new RetryableError(describeSkew(skew)) : undefined;
          if (problem === undefined) {
            outage.worked();
          } else {
            outage.failed(problem);
          }
        }
        await sleepUnlessAborted(signal, clock, INTERVAL_MS);
      }
    },
  };
}

function describeSkew(skewMs: number): string {
  const direction = skewMs > 0 ? "ahead of" : "behind";
  const seconds = Math.round(Math.abs(skewMs) / 1000);
  return (
    `skew: expected at most ${MAX_SKEW_MS / 1000} s, found this host ${seconds} s ${direction} the database's host; ` +
    "synchronize both clocks, for example with chrony or NTP"
  );
}
