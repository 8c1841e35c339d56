import type { Batch } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import type { ResourceReconciled } from "../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import type { SyncRequest } from "../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import { Condition } from "../../lib/condition.ts";
import type { BatchLimits } from "../config.ts";
import type { Change, ChangeSink } from "./change.ts";
import { type DeclaredScope, UplinkState } from "./uplink-state.ts";

/** Limits of an {@link Outbox}. */
export interface OutboxLimits {
  readonly batch: BatchLimits;
  /** Bytes that may wait for their numbers before who offers has to wait. */
  readonly maxPendingBytes: number;
}

/** A session as the outbox knows it. */
export interface SessionLimits {
  readonly epoch: bigint;
  readonly maxUnacknowledgedBytes: number;
}

/** {@link UplinkState} for those who wait: for something to send, or for room to offer. */
export class Outbox implements ChangeSink {
  readonly #state: UplinkState;
  readonly #maxPendingBytes: number;
  readonly #work = new Condition();
  readonly #room = new Condition();
  #epoch = 0n;

  constructor({ batch, maxPendingBytes }: OutboxLimits) {
    this.#state = new UplinkState(batch);
    this.#maxPendingBytes = maxPendingBytes;
  }

  /** The state, to be read. */
  get state(): Pick<
    UplinkState,
    "nextSequence" | "scopeGeneration" | "pendingBytes" | "unacknowledgedBytes" | "isDrained"
  > {
    return this.#state;
  }

  /** Epoch of the latest session; 0 before the first. */
  get epoch(): bigint {
    return this.#epoch;
  }

  async offer(signal: AbortSignal, change: Change): Promise<void> {
    await this.#waitForRoom(signal);
    this.#state.offer(change);
    this.#work.notifyAll();
  }

  /** Takes a batch that answers a run; waits for room. */
  async offerRunBatch(signal: AbortSignal, batch: Batch): Promise<void> {
    await this.#waitForRoom(signal);
    this.#state.offerRunBatch(batch);
    this.#work.notifyAll();
  }

  offerReconciled(message: ResourceReconciled): void {
    this.#state.offerReconciled(message);
    this.#work.notifyAll();
  }

  declareScope(scope: DeclaredScope): void {
    this.#state.declareScope(scope);
    this.#work.notifyAll();
  }

  openSession({ epoch, ...limits }: SessionLimits): void {
    this.#epoch = epoch;
    this.#state.openSession(limits);
    this.#work.notifyAll();
    this.#room.notifyAll();
  }

  acknowledge(sequence: bigint): void {
    this.#state.acknowledge(sequence);
    this.#work.notifyAll();
  }

  /** Messages as they may be sent, until `stop` aborts and all that was offered is acknowledged. */
  async *take(signal: AbortSignal, stop: AbortSignal): AsyncGenerator<SyncRequest, void, undefined> {
    const onStop = (): void => this.#work.notifyAll();
    stop.addEventListener("abort", onStop);
    try {
      while (!(stop.aborted && this.#state.isDrained)) {
        signal.throwIfAborted();
        const request = this.#state.next();
        if (request === undefined) {
          await this.#work.wait(signal);
        } else {
          this.#room.notifyAll();
          yield request;
        }
      }
    } finally {
      stop.removeEventListener("abort", onStop);
    }
  }

  async #waitForRoom(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await this.#room.waitUntil(signal, () => this.#state.pendingBytes < this.#maxPendingBytes);
  }
}
