import type { Metrics } from "../lib/metrics.ts";
import type { AgentCounters } from "./metrics.ts";

type Count = Exclude<keyof AgentCounters, "acknowledged">;

const METRICS: Readonly<Record<Count, readonly [name: string, help: string]>> = {
  sessions: ["evenkeel_agent_sessions_total", "Sessions that a backend has welcomed"],
  lists: ["evenkeel_agent_lists_total", "Lists that finished"],
  watches: ["evenkeel_agent_watches_total", "Watches that were begun"],
  events: ["evenkeel_agent_watch_events_total", "Events of watches, bookmarks included"],
  quarantined: ["evenkeel_agent_quarantined_objects_total", "Objects sent without their content"],
  comparisonsSucceeded: ["evenkeel_agent_comparisons_succeeded_total", "Kinds compared"],
  comparisonsFailed: ["evenkeel_agent_comparisons_failed_total", "Kinds whose comparison failed"],
};

/** Lets an agent's counters be read as metrics. */
export function registerAgentMetrics(metrics: Metrics, counters: Readonly<AgentCounters>): void {
  for (const [count, [name, help]] of Object.entries(METRICS) as [Count, readonly [string, string]][]) {
    metrics.observedCounter(name, help, () => counters[count]);
  }
}
