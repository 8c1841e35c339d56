import type { BackoffOptions } from "../lib/backoff.ts";

/** Times, sizes and limits of an agent. Times are in milliseconds. */
export interface AgentTuning {
  /** Between attempts at reaching the API server or the backend. */
  readonly backoff: BackoffOptions;
  /** Between two discoveries. */
  readonly discoveryMs: number;
  /** Between a list that was refused as stale and the next. */
  readonly staleListDelayMs: number;
  /** How long a comparison waits for the watch to deliver what its list already shows. */
  readonly watchCatchUpMs: number;
  /** How long a comparison waits for the next part of an inventory. */
  readonly inventoryMs: number;
  /** How long the agent goes on delivering after it was told to stop. */
  readonly flushMs: number;
  /** How long the backend may take to answer Hello. */
  readonly welcomeMs: number;
  /** Least duration of a watch; a server is asked for up to twice as much, so that not all end together. */
  readonly watchMs: number;
  /** More differing objects than this, and than a tenth of the list, are read by listing the kind. */
  readonly maxSingleReads: number;
  /** Bytes that wait to be numbered before the watches have to wait. */
  readonly maxPendingBytes: number;
  /** Bytes of inventories that may wait to be compared, of all kinds; an object takes about 110. */
  readonly maxInventoryBytes: number;
  readonly batch: BatchLimits;
}

/** For a cluster of any size. */
export const DEFAULT_AGENT_TUNING: AgentTuning = {
  backoff: { initialMs: 500, maxMs: 30_000 },
  discoveryMs: 5 * 60_000,
  staleListDelayMs: 2_000,
  watchCatchUpMs: 500,
  inventoryMs: 60_000,
  flushMs: 3_000,
  welcomeMs: 15_000,
  watchMs: 5 * 60_000,
  maxSingleReads: 50,
  maxPendingBytes: 2 * 1024 * 1024,
  maxInventoryBytes: 64 * 1024 * 1024,
  batch: { maxItems: 500, maxBytes: 512 * 1024 },
};

/** Limits of one batch. At least one item always fits. */
export interface BatchLimits {
  readonly maxItems: number;
  readonly maxBytes: number;
}
