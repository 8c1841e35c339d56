import { expect, it } from "vitest";
import {
  createAgentCounters,
  registerAgentMetrics,
  registerOutboxMetrics,
} from "../../../src/agent/metrics.ts";
import { createRecordingMetrics } from "../../support/recording-metrics.ts";

it.each([
  ["sessions", "evenkeel_agent_sessions_total"],
  ["lists", "evenkeel_agent_lists_total"],
  ["watches", "evenkeel_agent_watches_total"],
  ["events", "evenkeel_agent_watch_events_total"],
  ["quarantined", "evenkeel_agent_quarantined_objects_total"],
  ["refused", "evenkeel_agent_refused_items_total"],
  ["unrepresentable", "evenkeel_agent_unrepresentable_events_total"],
  ["comparisonsSucceeded", "evenkeel_agent_comparisons_succeeded_total"],
  ["comparisonsFailed", "evenkeel_agent_comparisons_failed_total"],
] as const)("%s are exported as they are at a scrape, from 0 on", (count, name) => {
  const metrics = createRecordingMetrics();
  const counters = createAgentCounters();
  registerAgentMetrics(metrics, counters);
  expect(metrics.read(name)).toBe(0);
  counters[count] = 7;
  expect(metrics.read(name)).toBe(7);
});

it("the fill of the outbox is exported as it is at a scrape", () => {
  const metrics = createRecordingMetrics();
  const outbox = { pendingBytes: 1, unacknowledgedBytes: 2 };
  registerOutboxMetrics(metrics, outbox);
  outbox.pendingBytes = 3;
  expect(metrics.read("evenkeel_agent_pending_bytes")).toBe(3);
  expect(metrics.read("evenkeel_agent_unacknowledged_bytes")).toBe(2);
});
