import { sleepUnlessAborted, waitFor } from "../../lib/abort.ts";
import type { Clock } from "../../lib/clock.ts";
import { createOutageLog, type Log } from "../../lib/log.ts";
import type { Metrics } from "../../lib/telemetry.ts";
import type { FleetFreshness, FreshnessStore } from "../../store/freshness-store.ts";

export interface FreshnessMonitorOptions {
  readonly store: FreshnessStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Interval between the starts of two runs of a cluster, in milliseconds. */
  readonly intervalMs: number;
}

/** Exports the freshness of all clusters as metrics, without a label: metrics have no data of an account. */
export interface FreshnessMonitor {
  /** Reads the freshness at an interval until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
}

/** Number of intervals without a proof after which a cluster is stale. One run may fail, and the next one take long. */
export const STALE_AFTER_INTERVALS = 3;

/** Time between two readings, in milliseconds. It does not depend on the number of scrapes. */
const POLL_INTERVAL_MS = 15_000;

/** Longest reading, in milliseconds. A query that has begun ends by the timeouts of the pool. */
const DEADLINE_MS = 10_000;

/**
 * Creates the monitor and registers its metrics. They have no sample before the first reading and after one that
 * failed: an old value would hide an outage, and an alert can detect that the sample is absent.
 */
export function createFreshnessMonitor(options: FreshnessMonitorOptions): FreshnessMonitor {
  const { store, clock, log, metrics, intervalMs } = options;
  let last: FleetFreshness | undefined;
  metrics.gauge(
    "evenkeel_backend_clusters",
    "Clusters in the database, equal in all backends",
    () => last?.clusters,
  );
  metrics.gauge(
    "evenkeel_backend_stale_clusters",
    `Clusters not verified for ${STALE_AFTER_INTERVALS} reconciliation intervals, equal in all backends`,
    () => last?.staleClusters,
  );
  metrics.gauge(
    "evenkeel_backend_oldest_verified_age_seconds",
    "Time since the oldest verified time of all clusters, equal in all backends",
    () => last && last.oldestAgeMs / 1000,
  );
  const outage = createOutageLog(log, {
    failed: "freshness not read; its metrics have no samples",
    worked: "freshness read again",
  });
  const read = async (signal: AbortSignal): Promise<FleetFreshness> => {
    using deadline = clock.deadline(signal, DEADLINE_MS);
    const reading = store.readFreshness(deadline.signal, STALE_AFTER_INTERVALS * intervalMs);
    return await waitFor(deadline.signal, reading);
  };
  return {
    async run(signal) {
      while (!signal.aborted) {
        try {
          last = await read(signal);
          outage.worked();
        } catch (error) {
          last = undefined;
          if (!signal.aborted) {
            outage.failed(error);
          }
        }
        await sleepUnlessAborted(signal, clock, POLL_INTERVAL_MS);
      }
    },
  };
}
