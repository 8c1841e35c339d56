import type { Batch } from "../../gen/proto/evenkeel/v1/batch_pb.ts";
import type {
  ReconciliationRequest,
  ResourceInventory,
  ResourceReconciled,
} from "../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import type { ResourceType } from "../../gen/proto/evenkeel/v1/resource_pb.ts";
import type { ScopeDeclared } from "../../gen/proto/evenkeel/v1/scope_pb.ts";

/** Where in which cluster's stream a message stands. */
export interface StreamPosition {
  readonly account: string;
  readonly cluster: string;
  readonly epoch: bigint;
  /** 0 for what the backend says itself. */
  readonly sequence: bigint;
  /** Which part of the sequence this is, from 0; unset: all of it. */
  readonly part?: { readonly index: number; readonly count: number };
}

/**
 * What the ingester writes and reads. Each `apply*` is one transaction that holds the cluster's lock and records
 * the position; it may be repeated any number of times to the same result.
 *
 * All methods throw `RetryableError` while the database cannot be reached or asks to try again.
 */
export interface IngestStore {
  /** Applies observations by the one rule that decides every write (docs/correctness.md). */
  applyBatch(signal: AbortSignal, position: StreamPosition, batch: Batch): Promise<BatchOutcome>;
  /** Makes the scope the cluster's: kinds and namespaces that left it lose their rows, without tombstones. */
  applyScope(signal: AbortSignal, position: StreamPosition, scope: ScopeDeclared): Promise<void>;
  /** Ends a kind of a run: moves its floor and verified time, or records why not. */
  applyResourceReconciled(
    signal: AbortSignal,
    position: StreamPosition,
    end: ResourceReconciled,
  ): Promise<void>;
  /**
   * Begins an attempt at answering the request. Undefined when there is nothing to answer: the run has ended, or
   * belongs to a session that is not the current one.
   */
  beginAttempt(
    signal: AbortSignal,
    position: StreamPosition,
    request: ReconciliationRequest,
  ): Promise<RunAttempt | undefined>;
  /** What Postgres believes of a kind: chunks in key order that tile the key space, at least one. */
  readInventory(
    signal: AbortSignal,
    answer: RunAttempt,
    resourceType: ResourceType,
  ): AsyncIterable<ResourceInventory>;
  /** Adds to the run's count of inventory bytes. */
  recordInventoryBytes(signal: AbortSignal, answer: RunAttempt, bytes: number): Promise<void>;
}

/** What became of a batch. */
export interface BatchOutcome {
  /** Rows written. */
  readonly applied: number;
  /** Items that could not be stored; a row without content stands for each. */
  readonly quarantined: readonly QuarantinedItem[];
}

/** An item that cannot be stored. */
export interface QuarantinedItem {
  readonly namespace: string;
  readonly name: string;
  readonly reason: string;
  /** It came without content, so there is nothing that a dead letter would keep. */
  readonly announced: boolean;
}

/** One attempt at answering a request. */
export interface RunAttempt {
  readonly position: StreamPosition;
  readonly request: ReconciliationRequest;
  readonly attempt: number;
  readonly replyTopic: string;
  readonly resourceTypes: readonly ResourceType[];
}
