import type { BackoffOptions } from "../lib/retry.ts";

/** Times, sizes and limits of an agent. Times are in milliseconds. */
export interface AgentTuning {
  /** Backoff between failed requests to the API server or the backend. */
  readonly backoff: BackoffOptions;
  /** Time between two discoveries. */
  readonly discoveryMs: number;
  /** Delay before a list that was refused as stale is repeated. */
  readonly staleListDelayMs: number;
  /**
   * Time for which all responses must be below the high watermark of a resource type before its versions count as gone
   * back, unless those of another resource type went back too.
   */
  readonly restoreProofMs: number;
  /** Longest time that a comparison waits for the watch to deliver changes that its list already contains. */
  readonly watchCatchUpMs: number;
  /** Longest time that a comparison waits for the next chunk of an inventory. */
  readonly inventoryMs: number;
  /** Longest time that the agent continues to deliver after its signal aborted. */
  readonly flushMs: number;
  /** Longest time that the backend may take to answer Hello. */
  readonly welcomeMs: number;
  /**
   * Shortest duration of a watch. Each watch requests a random duration of up to twice this, so that watches
   * do not end at the same time.
   */
  readonly watchMs: number;
  /**
   * Above this number of differing objects, and above a tenth of the list, their contents are read by a list
   * of the resource type instead of one by one.
   */
  readonly maxSingleReads: number;
  /** Retries of the failed requests of one comparison. */
  readonly retries: RetryLimits;
  /** Bytes of messages without sequence at which watches are paused. */
  readonly maxPendingBytes: number;
  /** Resource types that a run compares at a time. */
  readonly maxComparisons: number;
  /**
   * Time after which a comparison does not count among `maxComparisons`, in milliseconds: one whose list hangs must not
   * hold up the others.
   */
  readonly comparisonSlotMs: number;
  /**
   * Bytes of inventories that may wait to be compared, over all resource types; one object takes about 110
   * bytes. Another comparison begins only while these and the lists of the running ones fit in.
   */
  readonly maxInventoryBytes: number;
  readonly batch: BatchLimits;
}

/** Defaults, for clusters of any size. */
export const DEFAULT_AGENT_TUNING: AgentTuning = {
  backoff: { initialMs: 500, maxMs: 30_000 },
  discoveryMs: 5 * 60_000,
  staleListDelayMs: 2_000,
  restoreProofMs: 30_000,
  watchCatchUpMs: 500,
  inventoryMs: 60_000,
  flushMs: 3_000,
  welcomeMs: 15_000,
  watchMs: 5 * 60_000,
  maxSingleReads: 50,
  retries: { maxRetries: 6, maxDelayMs: 60_000 },
  maxPendingBytes: 2 * 1024 * 1024,
  maxComparisons: 4,
  comparisonSlotMs: 10_000,
  maxInventoryBytes: 64 * 1024 * 1024,
  batch: { maxItems: 500, maxBytes: 512 * 1024 },
};

/** Limits of the retries of one comparison. */
export interface RetryLimits {
  /** Highest number of retries of all its requests. */
  readonly maxRetries: number;
  /** Longest delay that the API server may request before one of them, in milliseconds. */
  readonly maxDelayMs: number;
}

/** Limits of one batch. An item above `maxBytes` is sent in a batch of its own. */
export interface BatchLimits {
  readonly maxItems: number;
  readonly maxBytes: number;
}
