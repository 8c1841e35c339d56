import type { Batch } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import type { KindReconciled } from "../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";

/** One stream to the backend, from Welcome to its end, as what answers runs sees it. */
export interface Session {
  /** Number of the session. */
  readonly epoch: bigint;
  /** Aborts when the session ends; what it was asked for is void then. */
  readonly signal: AbortSignal;
  /** Generation of the scope declared last. */
  readonly scopeGeneration: bigint;
  /** Number that the next message gets, or one after it. */
  readonly nextSequence: bigint;
  /** Sends a batch that answers a run; waits while too much is pending. */
  sendRunBatch(signal: AbortSignal, batch: Batch): Promise<void>;
  /** Sends the end of a kind's comparison, behind everything sent before. */
  sendReconciled(message: KindReconciled): void;
}

/** Processes one batch of the backend. Must not wait on the uplink: the batches behind it wait for it. */
export type BatchHandler = (session: Session, batch: Batch) => void;
