import { type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { type Batch, BatchSchema } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import type { SyncResponseSchema } from "../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import { BoundedQueue, type QueueLimits } from "../../lib/bounded-queue.ts";

/** A message to the agent. */
export type Response = MessageInitShape<typeof SyncResponseSchema>;

interface Item {
  /** Unset only wakes the reader. */
  readonly batch?: Batch;
  readonly bytes: number;
}

/** Most that one slow agent may hold up. */
const LIMITS: QueueLimits = { maxItems: 1000, maxBytes: 64 * 1024 * 1024 };

/**
 * What the backend has yet to say to one agent. Nothing that is put in waits: a batch is refused when there is no
 * room, and only the newest acknowledgement is kept, because it stands for all before it.
 */
export class Downstream {
  readonly #queue: BoundedQueue<Item>;
  #acknowledged = 0n;
  #drainAfterMs: number | undefined;

  constructor(limits = LIMITS) {
    this.#queue = new BoundedQueue<Item>(limits, ({ bytes }) => bytes);
  }

  /** Says that every sequence up to this one is safe. */
  acknowledge(sequence: bigint): void {
    this.#acknowledged = sequence;
    this.#wake();
  }

  /** Adds a batch, or returns false because the agent is too far behind. */
  offer(batch: Batch): boolean {
    return this.#queue.offer({ batch, bytes: toBinary(BatchSchema, batch).byteLength });
  }

  /** Asks the agent to come back later; nothing more is said after it. */
  drain(retryAfterMs: number): void {
    this.#drainAfterMs ??= retryAfterMs;
    this.#wake();
  }

  /** Ends {@link take}, by throwing the error. */
  close(error: unknown): void {
    this.#queue.close(error);
  }

  /** The messages, as they come. */
  async *take(signal: AbortSignal): AsyncGenerator<Response, void, undefined> {
    let said = 0n;
    for await (const { batch } of this.#queue.take(signal)) {
      if (said !== this.#acknowledged) {
        said = this.#acknowledged;
        yield { message: { case: "acknowledgement", value: { sequence: said } } };
      }
      if (batch !== undefined) {
        yield { message: { case: "batch", value: batch } };
      }
      if (this.#drainAfterMs !== undefined) {
        yield { message: { case: "drain", value: { retryAfter: durationFromMs(this.#drainAfterMs) } } };
        return;
      }
    }
  }

  /** A queue that holds something wakes the reader anyway. */
  #wake(): void {
    if (this.#queue.length === 0) {
      this.#queue.offer({ bytes: 0 });
    }
  }
}
