import type { Metrics } from "../lib/telemetry.ts";

/** Counters of an agent since its creation, for tests and metrics. */
export interface AgentCounters {
  /** Sessions that the backend welcomed. */
  sessions: number;
  /** Lists that finished, metadata only. */
  lists: number;
  /** Watches that were started. */
  watches: number;
  /** Events that watches delivered, bookmarks included. */
  events: number;
  /** Objects that were sent without content, counted each time. */
  quarantined: number;
  /** Items that the ingester refused, by its notices. */
  refused: number;
  /** Watch events of objects that no row can hold. */
  unrepresentable: number;
  /** Comparisons that succeeded, and that failed. */
  comparisonsSucceeded: number;
  comparisonsFailed: number;
  /** Last sequence that the backend acknowledged in the current session. */
  acknowledged: bigint;
}

/** Returns counters at zero. */
export function createAgentCounters(): AgentCounters {
  return {
    sessions: 0,
    lists: 0,
    watches: 0,
    events: 0,
    quarantined: 0,
    refused: 0,
    unrepresentable: 0,
    comparisonsSucceeded: 0,
    comparisonsFailed: 0,
    acknowledged: 0n,
  };
}

type Count = Exclude<keyof AgentCounters, "acknowledged">;

const METRICS: Readonly<Record<Count, readonly [name: string, help: string]>> = {
  sessions: ["evenkeel_agent_sessions_total", "Sessions that a backend accepted"],
  lists: ["evenkeel_agent_lists_total", "Lists that finished"],
  watches: ["evenkeel_agent_watches_total", "Watches that were started"],
  events: ["evenkeel_agent_watch_events_total", "Events of watches, bookmarks included"],
  quarantined: ["evenkeel_agent_quarantined_objects_total", "Objects sent without their content"],
  refused: ["evenkeel_agent_refused_items_total", "Items that the ingester refused, by its notices"],
  unrepresentable: [
    "evenkeel_agent_unrepresentable_events_total",
    "Watch events of objects that no row can hold",
  ],
  comparisonsSucceeded: ["evenkeel_agent_comparisons_succeeded_total", "Comparisons that succeeded"],
  comparisonsFailed: ["evenkeel_agent_comparisons_failed_total", "Comparisons that failed"],
};

/** Exports the fill of an agent's outbox as metrics. */
export function registerOutboxMetrics(
  metrics: Metrics,
  outbox: { readonly pendingBytes: number; readonly unacknowledgedBytes: number },
): void {
  metrics.gauge(
    "evenkeel_agent_pending_bytes",
    "Bytes of changes and repairs that are not sent yet",
    () => outbox.pendingBytes,
  );
  metrics.gauge(
    "evenkeel_agent_unacknowledged_bytes",
    "Bytes sent to the backend and not acknowledged",
    () => outbox.unacknowledgedBytes,
  );
}

/** Exports the counters of an agent as metrics. */
export function registerAgentMetrics(metrics: Metrics, counters: Readonly<AgentCounters>): void {
  for (const [count, [name, help]] of Object.entries(METRICS) as [Count, readonly [string, string]][]) {
    metrics.observedCounter(name, help, () => counters[count]);
  }
}
