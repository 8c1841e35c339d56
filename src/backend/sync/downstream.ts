import { type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { type Batch, BatchSchema, type RefusedItems } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import type { SyncResponseSchema } from "../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import { BoundedQueue, type QueueLimits } from "../../lib/bounded-queue.ts";
import type { AccountMemory } from "../../lib/memory-budget.ts";

/** A message to the agent. */
export type Response = MessageInitShape<typeof SyncResponseSchema>;

interface Item {
  /** Unset in an item that only wakes the reader. */
  readonly batch?: Batch;
  readonly bytes: number;
}

/** Limits of the messages that wait for one slow agent. */
const LIMITS: QueueLimits = { maxItems: 1000, maxBytes: 64 * 1024 * 1024 };

/** Bytes of memory for each encoded byte of a batch: its many small messages are objects. */
const DECODED_FACTOR = 4;

/** Part of its account's room that the batches for one agent may take, as a divisor. */
const AGENTS_IN_ROOM = 2;

/** Most notices that wait for one slow agent. */
const MAX_NOTICES = 8;

/**
 * Messages of the backend for one agent. Adding never waits: a batch is refused if there is no room, and only
 * the newest acknowledgement is kept, because it covers all earlier ones. Notices take no room of batches; those
 * that a slow agent does not read are dropped.
 *
 * Batches are charged to the account. {@link release} gives back what is left at the end of the session.
 */
export class Downstream {
  readonly #memory: AccountMemory;
  readonly #queue: BoundedQueue<Item>;
  readonly #notices: RefusedItems[] = [];
  #acknowledged = 0n;
  #drainAfterMs: number | undefined;

  constructor(memory: AccountMemory, limits = LIMITS) {
    this.#memory = memory;
    this.#queue = new BoundedQueue<Item>(limits, ({ bytes }) => bytes);
  }

  /** Bytes of the batches that wait for the agent. */
  get bytes(): number {
    return this.#queue.bytes;
  }

  /** Acknowledges all sequences up to this one. */
  acknowledge(sequence: bigint): void {
    this.#acknowledged = sequence;
    this.#wake();
  }

  /** Adds a batch. Returns false if there is no room because the agent is too slow. */
  offer(batch: Batch): boolean {
    const { byteLength: bytes } = toBinary(BatchSchema, batch);
    const held = this.#queue.bytes;
    const hasRoom = held === 0 || DECODED_FACTOR * (held + bytes) <= this.#memory.room / AGENTS_IN_ROOM;
    if (!hasRoom || !this.#queue.offer({ batch, bytes })) {
      return false;
    }
    this.#memory.hold(DECODED_FACTOR * bytes);
    return true;
  }

  /** Gives back the memory of the batches that the agent did not take, once: no batch follows, and nothing is taken. */
  release(): void {
    this.#queue.close();
    this.#memory.release(DECODED_FACTOR * this.#queue.bytes);
  }

  /** Adds a notice, or drops it if the agent is too slow. */
  notify(notice: RefusedItems): void {
    if (this.#notices.length < MAX_NOTICES) {
      this.#notices.push(notice);
      this.#wake();
    }
  }

  /** Requests that the agent reconnects after a delay; no message follows. */
  drain(retryAfterMs: number): void {
    this.#drainAfterMs ??= retryAfterMs;
    this.#wake();
  }

  /** True if the agent was requested to reconnect. */
  get isDraining(): boolean {
    return this.#drainAfterMs !== undefined;
  }

  /** Ends {@link take}, which throws the error. */
  close(error: unknown): void {
    this.#queue.close(error);
  }

  /** Yields the messages in the order in which they become available. */
  async *take(signal: AbortSignal): AsyncGenerator<Response, void, undefined> {
    let sent = 0n;
    for await (const { batch, bytes } of this.#queue.take(signal)) {
      if (sent !== this.#acknowledged) {
        sent = this.#acknowledged;
        yield { message: { case: "acknowledgement", value: { sequence: sent } } };
      }
      if (batch !== undefined) {
        this.#memory.release(DECODED_FACTOR * bytes);
        yield { message: { case: "batch", value: batch } };
      }
      for (const notice of this.#notices.splice(0)) {
        yield { message: { case: "refusedItems", value: notice } };
      }
      if (this.#drainAfterMs !== undefined) {
        yield { message: { case: "drain", value: { retryAfter: durationFromMs(this.#drainAfterMs) } } };
        return;
      }
    }
  }

  /** Wakes the reader. A non-empty queue does so without this item. */
  #wake(): void {
    if (this.#queue.length === 0) {
      this.#queue.offer({ bytes: 0 });
    }
  }
}
