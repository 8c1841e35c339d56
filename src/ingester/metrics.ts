import type { Metrics } from "../lib/telemetry.ts";
import type { KeyedWindow } from "./keyed-window.ts";

/** Counters and histograms of an ingester. */
export interface IngesterMetrics {
  delivered(redeliveryCount: number): void;
  /** Records a committed event: its body, the duration, and the time since the backend's stamp. */
  applied(body: string, seconds: number, lagSeconds: number): void;
  /** Counts a failed attempt, which may be retried. */
  failed(): void;
  /** Counts an attempt that failed with an unknown error and is retried, by SQLSTATE class or error code. */
  unknownError(code: string): void;
  deadLetter(): void;
  /** Counts a message of an account that has no budget for dead letters left. */
  deadLetterOmitted(): void;
  /** Counts rows whose checksums were recomputed, and those of them whose checksums did not fit. */
  scrubbed(rows: number, damaged: number): void;
  /** Counts a scrub that ended early because Postgres could not read a row. */
  scrubFailed(): void;
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const LAG_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800];

/** Registers the ingester's metrics. */
export function createIngesterMetrics(metrics: Metrics, window: () => KeyedWindow): IngesterMetrics {
  const deliveries = metrics.counter("evenkeel_ingester_deliveries_total", "Messages received from the bus");
  const redeliveries = metrics.counter(
    "evenkeel_ingester_redeliveries_total",
    "Messages that the bus had delivered before",
  );
  const seconds = metrics.histogram("evenkeel_ingester_apply_seconds", "Time to apply an event", SECONDS);
  const lag = metrics.histogram(
    "evenkeel_ingester_lag_seconds",
    "Time from the backend's stamp on an event to its commit",
    LAG_SECONDS,
  );
  const failures = metrics.counter(
    "evenkeel_ingester_failed_attempts_total",
    "Attempts to apply an event that failed",
  );
  const unknownErrors = metrics.counter(
    "evenkeel_ingester_unknown_errors_total",
    "Attempts that failed with an unknown error and are retried, by SQLSTATE class or error code",
  );
  const deadLetters = metrics.counter(
    "evenkeel_ingester_dead_letters_total",
    "Messages published as dead letters",
  );
  const omittedDeadLetters = metrics.counter(
    "evenkeel_ingester_omitted_dead_letters_total",
    "Messages that cannot be applied, of accounts whose budget for dead letters is spent",
  );
  const scrubbedRows = metrics.counter(
    "evenkeel_ingester_scrubbed_rows_total",
    "Rows whose checksums were recomputed from their contents",
  );
  const damagedRows = metrics.counter(
    "evenkeel_ingester_damaged_rows_total",
    "Rows whose contents did not fit their checksums; the next run repairs them",
  );
  const failedScrubs = metrics.counter(
    "evenkeel_ingester_failed_scrubs_total",
    "Scrubs that ended early because Postgres could not read a row",
  );
  metrics.gauge(
    "evenkeel_ingester_held_messages",
    "Messages received and not yet processed",
    () => window().items,
  );
  metrics.gauge(
    "evenkeel_ingester_held_bytes",
    "Memory of unprocessed messages, with their batches expanded",
    () => window().bytes,
  );
  metrics.gauge(
    "evenkeel_ingester_deferred_messages",
    "Messages of slow or waiting clusters that are left with the bus",
    () => window().deferredItems,
  );
  metrics.gauge(
    "evenkeel_ingester_waiting_clusters",
    "Clusters whose next event failed and is retried",
    () => window().blockedKeys,
  );
  return {
    delivered(redeliveryCount) {
      deliveries.add(1);
      redeliveries.add(redeliveryCount > 0 ? 1 : 0);
    },
    applied(body, appliedSeconds, lagSeconds) {
      seconds.record(appliedSeconds, { body });
      lag.record(lagSeconds);
    },
    failed: () => failures.add(1),
    unknownError: (code) => unknownErrors.add(1, { code }),
    deadLetter: () => deadLetters.add(1),
    deadLetterOmitted: () => omittedDeadLetters.add(1),
    scrubbed(rows, damaged) {
      scrubbedRows.add(rows);
      damagedRows.add(damaged);
    },
    scrubFailed: () => failedScrubs.add(1),
  };
}
