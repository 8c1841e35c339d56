import type { Batch } from "../../gen/proto/evenkeel/v1/batch_pb.ts";
import type {
  ReconciliationRequest,
  ResourceInventory,
  ResourcesReconciled,
} from "../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import type { ResourceType } from "../../gen/proto/evenkeel/v1/resource_pb.ts";
import type { ScopeDeclared } from "../../gen/proto/evenkeel/v1/scope_pb.ts";
import type { ObjectKey } from "../domain/object-key.ts";

/** Position of a message in the stream of a session. */
export interface StreamPosition {
  readonly account: string;
  readonly cluster: string;
  readonly epoch: bigint;
  /** 0 for messages that the backend creates. */
  readonly sequence: bigint;
  /** Part of the sequence, from 0; unset: the whole sequence. */
  readonly part?: { readonly index: number; readonly count: number };
}

/**
 * The store of the ingester. Each `apply*` is one transaction that holds the cluster's lock and records the position.
 * It is idempotent.
 *
 * All methods throw `RetryableError` while the database is unreachable or requests a retry.
 */
export interface IngestStore {
  /** Applies observations by the one rule that decides every write (docs/correctness.md). */
  applyBatch(signal: AbortSignal, position: StreamPosition, batch: Batch): Promise<BatchOutcome>;
  /**
   * Judges observations of a dry run by the same rule, and stores what a run would repair. Objects, resource types and
   * findings of other runs stay as they are. A repeated batch, and one of an earlier attempt, changes nothing.
   */
  judgeBatch(signal: AbortSignal, position: StreamPosition, batch: Batch): Promise<void>;
  /**
   * Stores the scope of the cluster, unless the session has a later one. A scope that arrives in parts is stored with
   * its last part. Resource types that were removed, and
   * namespaces that left, lose their rows, without tombstones.
   */
  applyScope(signal: AbortSignal, position: StreamPosition, scope: ScopeDeclared): Promise<void>;
  /**
   * Ends resource types of a run: raises the low watermark and verified time of each, or records its failure. The
   * agent's statement about it must agree with the store's own knowledge (`judgeComparison`). A dry run only gets its
   * results.
   */
  applyResourcesReconciled(
    signal: AbortSignal,
    position: StreamPosition,
    reconciled: ResourcesReconciled,
  ): Promise<void>;
  /**
   * Begins an attempt to answer the request. Returns undefined if the run has ended or its session is not the current
   * one.
   */
  beginAttempt(
    signal: AbortSignal,
    position: StreamPosition,
    request: ReconciliationRequest,
  ): Promise<RunAttempt | undefined>;
  /**
   * Recomputes the checksums of the next rows of a resource type, behind those of the last call, and clears each one
   * that does not fit its content: the next inventory has the row without a checksum. After the last row, the next
   * call begins at the first one.
   */
  scrub(
    signal: AbortSignal,
    position: StreamPosition,
    resourceType: ResourceType,
    limits: ScrubLimits,
  ): Promise<ScrubOutcome>;
  /** Reads the inventory of a resource type: one or more chunks in key order that tile the key space. */
  readInventory(
    signal: AbortSignal,
    answer: RunAttempt,
    resourceType: ResourceType,
  ): AsyncIterable<ResourceInventory>;
  /**
   * Records inventories that were read completely, and adds to the run's count of inventory bytes. Must be called
   * before their last chunks are published: the ends of their comparisons are judged by it.
   */
  recordInventories(
    signal: AbortSignal,
    answer: RunAttempt,
    inventories: readonly SentInventory[],
    bytes: number,
  ): Promise<void>;
}

/** Result of a batch. */
export interface BatchOutcome {
  /** Rows written. */
  readonly applied: number;
  /** Items that could not be stored; each has a row without content. */
  readonly quarantined: readonly QuarantinedItem[];
  /**
   * Topic for a notice to the agent. Set if an item was refused (quarantined, but not `announced`) and the session is
   * the current one.
   */
  readonly replyTopic?: string;
}

/** An item that cannot be stored. */
export interface QuarantinedItem {
  readonly namespace: string;
  readonly name: string;
  readonly reason: string;
  /** True if it arrived without content, so a dead letter would keep nothing. */
  readonly announced: boolean;
}

/** Inventory of a resource type that was read completely. */
export interface SentInventory {
  readonly resourceType: ResourceType;
  /** Objects in it, without those that the initiator manages. */
  readonly objects: number;
  /** Incarnation and high watermark of its first chunk. */
  readonly incarnation: bigint;
  readonly highWatermark: string;
}

/** Bounds of one scrub. It reads at most one row beyond `maxBytes` of content. */
export interface ScrubLimits {
  readonly maxRows: number;
  readonly maxBytes: number;
}

/** Result of a scrub. */
export interface ScrubOutcome {
  /** Rows whose checksums were recomputed. */
  readonly rows: number;
  /** Rows that lost their checksums. */
  readonly damaged: readonly ObjectKey[];
  /** Reason why Postgres could not read the next row, such as a damaged page; unset if it could. */
  readonly failure?: string;
}

/** One attempt to answer a request. */
export interface RunAttempt {
  readonly position: StreamPosition;
  readonly request: ReconciliationRequest;
  readonly attempt: number;
  readonly replyTopic: string;
  readonly resourceTypes: readonly ResourceType[];
}
