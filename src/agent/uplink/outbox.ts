import type { Batch, RunRef } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import type { ResourceReconciled } from "../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import type { SyncRequest } from "../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import { withinDeadline } from "../../lib/abort.ts";
import type { Clock } from "../../lib/clock.ts";
import { Condition } from "../../lib/condition.ts";
import { type FieldViolation, RetryableError } from "../../lib/errors.ts";
import type { BatchLimits } from "../config.ts";
import type { Change, ChangeSink } from "./live-segment.ts";
import { type DeclaredScope, UplinkState } from "./uplink-state.ts";

export interface OutboxOptions {
  readonly clock: Clock;
  readonly batch: BatchLimits;
  /** Pending bytes at which {@link Outbox.whenRoom} waits. */
  readonly maxPendingBytes: number;
}

/** Epoch and limit of a session. */
export interface SessionLimits {
  readonly epoch: bigint;
  readonly maxUnacknowledgedBytes: number;
}

/** Time for which the end of a comparison waits for others of its attempt, in milliseconds. */
const HOLD_ENDS_MS = 1_000;

/** Adds waiting to {@link UplinkState}: for a message to send, for room to add one, and of ends for others. */
export class Outbox implements ChangeSink {
  readonly #clock: Clock;
  readonly #state: UplinkState;
  readonly #maxPendingBytes: number;
  readonly #work = new Condition();
  readonly #room = new Condition();
  #epoch = 0n;
  #endSession: (error: Error) => void = () => {};

  constructor({ clock, batch, maxPendingBytes }: OutboxOptions) {
    this.#clock = clock;
    this.#state = new UplinkState(batch);
    this.#maxPendingBytes = maxPendingBytes;
  }

  /** Read-only view of the state. */
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

  async whenRoom(signal: AbortSignal, add: () => void): Promise<void> {
    await this.#room.waitUntil(signal, () => {
      // The signal may have aborted since the wait ended.
      signal.throwIfAborted();
      const hasRoom = this.#state.pendingBytes < this.#maxPendingBytes;
      if (hasRoom) {
        add();
      }
      return hasRoom;
    });
  }

  offer(change: Change): void {
    this.#state.offer(change);
    this.#work.notifyAll();
  }

  dropPuts(resourceKey: string): void {
    if (this.#state.dropPuts(resourceKey)) {
      this.#endSession(
        new RetryableError(
          `session: ${resourceKey} is read by another reflector while puts are on their way`,
        ),
      );
    }
    this.#room.notifyAll();
  }

  /** Adds a batch of repairs. The caller waits for room first. */
  offerRunBatch(batch: Batch): void {
    this.#state.offerRunBatch(batch);
    this.#work.notifyAll();
  }

  /** Adds the end of a comparison. It waits a second at most for others of its attempt. */
  offerEnd(run: RunRef, end: ResourceReconciled): void {
    this.#state.offerEnd(run, end);
    this.#work.notifyAll();
  }

  /** Ends the wait of the ends of comparisons. */
  releaseEnds(): void {
    this.#state.releaseEnds();
    this.#work.notifyAll();
  }

  /** Ends each wait of ends in time, until `signal` aborts. */
  async run(signal: AbortSignal): Promise<never> {
    const untilReleased = (until: AbortSignal): Promise<void> =>
      this.#work.waitUntil(until, () => !this.#state.hasHeldEnds);
    for (;;) {
      await this.#work.waitUntil(signal, () => this.#state.hasHeldEnds);
      await withinDeadline(signal, this.#clock, HOLD_ENDS_MS, untilReleased, () => this.releaseEnds());
    }
  }

  declareScope(scope: DeclaredScope): void {
    this.#state.declareScope(scope);
    this.#work.notifyAll();
  }

  /** Begins a session. `end` ends it early. */
  openSession({ epoch, ...limits }: SessionLimits, end: (error: Error) => void = () => {}): void {
    this.#epoch = epoch;
    this.#endSession = end;
    this.#state.openSession(limits);
    this.#work.notifyAll();
    this.#room.notifyAll();
  }

  /** Withholds the items that the backend refused, and returns their keys. Called between two sessions. */
  refuse(violations: readonly FieldViolation[]): string[] {
    return this.#state.refuse(violations);
  }

  /** Ends the session if it has this epoch: a new incarnation needs a new epoch. */
  renewSession(epoch: bigint, reason: string): void {
    if (epoch === this.#epoch) {
      this.#endSession(new RetryableError(`session: ${reason}`));
    }
  }

  acknowledge(sequence: bigint): void {
    this.#state.acknowledge(sequence);
    this.#work.notifyAll();
  }

  /** Yields the messages that may be sent, until `stop` has aborted and all messages are acknowledged. */
  async *take(signal: AbortSignal, stop: AbortSignal): AsyncGenerator<SyncRequest, void, undefined> {
    const onStop = (): void => this.#work.notifyAll();
    stop.addEventListener("abort", onStop);
    try {
      while (!(stop.aborted && this.#state.isDrained)) {
        signal.throwIfAborted();
        if (stop.aborted) {
          this.#state.releaseEnds();
        }
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
}
