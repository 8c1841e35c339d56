/** What the agent has done since it began, for tests and metrics. */
export interface AgentCounters {
  /** Sessions that the backend welcomed. */
  sessions: number;
  /** Lists that finished, metadata only. */
  lists: number;
  /** Watches that were begun. */
  watches: number;
  /** Events that watches delivered, bookmarks included. */
  events: number;
  /** Objects whose content could not travel, each time that they were sent. */
  quarantined: number;
  /** Kinds whose comparison ended well, and badly. */
  comparisonsSucceeded: number;
  comparisonsFailed: number;
  /** Last number that the backend acknowledged in the present session. */
  acknowledged: bigint;
}

/** Counters at zero. */
export function createAgentCounters(): AgentCounters {
  return {
    sessions: 0,
    lists: 0,
    watches: 0,
    events: 0,
    quarantined: 0,
    comparisonsSucceeded: 0,
    comparisonsFailed: 0,
    acknowledged: 0n,
  };
}
