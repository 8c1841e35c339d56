import type { OutgoingMessage, Producer } from "../../bus/bus.ts";
import { Condition } from "../../lib/condition.ts";
import { RetryableError, toMessage } from "../../lib/errors.ts";
import type { AccountMemory } from "../../lib/memory-budget.ts";

/** Most unconfirmed bytes of one session. */
const MAX_IN_FLIGHT_BYTES = 4 * 1024 * 1024;

/** Divisor of its account's room: the part that a session may hold. It may always have one message in flight. */
const SESSIONS_IN_ROOM = 8;

/** Memory of a message besides its payload, in bytes. */
const OVERHEAD_BYTES = 1024;

interface Entry {
  /** 0 for messages that the agent did not number. */
  readonly sequence: bigint;
  readonly bytes: number;
  readonly onOutcome: (error?: unknown) => void;
  stored: boolean;
}

/**
 * Publishes a session's messages in their order, several at a time, and reports the end of the contiguous
 * prefix of receipts. After a publish that failed or has an unknown outcome, it publishes and acknowledges no
 * more: messages in flight behind it may be stored, and the agent sends all of them again.
 *
 * The fewer bytes the account has left, the fewer a session may keep unconfirmed, so the sessions whose messages are
 * not stored leave room for the others.
 */
export class PublishWindow {
  readonly #producer: Producer;
  readonly #memory: AccountMemory;
  readonly #onStored: (sequence: bigint) => void;
  readonly #onFailure: (error: Error) => void;
  readonly #entries: Entry[] = [];
  #bytes = 0;
  #failure: Error | undefined;
  readonly #changed = new Condition();

  constructor(
    producer: Producer,
    memory: AccountMemory,
    on: { readonly stored: (sequence: bigint) => void; readonly failure: (error: Error) => void },
  ) {
    this.#producer = producer;
    this.#memory = memory;
    this.#onStored = on.stored;
    this.#onFailure = on.failure;
  }

  /**
   * Publishes the message when the window has room, and reports its outcome to `onOutcome`.
   *
   * @throws RetryableError after a publish has failed.
   */
  async publish(
    signal: AbortSignal,
    sequence: bigint,
    message: OutgoingMessage,
    onOutcome: (error?: unknown) => void,
  ): Promise<void> {
    const bytes = message.payload.byteLength + OVERHEAD_BYTES;
    await this.#changed.waitUntil(signal, () => {
      this.#throwIfFailed();
      return this.#entries.length === 0 || this.#bytes + bytes <= this.#limit();
    });
    // Without a wait for room: the message that this one was made of has taken more, and is released next.
    this.#memory.hold(bytes);
    const entry: Entry = { sequence, bytes, onOutcome, stored: false };
    this.#entries.push(entry);
    this.#bytes += bytes;
    this.#producer.publish(signal, message).then(
      () => this.#store(entry),
      (error: unknown) => this.#fail(entry, error),
    );
  }

  /** Waits until no message is in flight, or a publish has failed. */
  async flush(signal: AbortSignal): Promise<void> {
    await this.#changed.waitUntil(signal, () => this.#entries.length === 0 || this.#failure !== undefined);
  }

  #limit(): number {
    return Math.min(MAX_IN_FLIGHT_BYTES, this.#memory.room / SESSIONS_IN_ROOM);
  }

  #store(entry: Entry): void {
    this.#memory.release(entry.bytes);
    entry.stored = true;
    entry.onOutcome();
    let last = 0n;
    for (let head = this.#entries[0]; head?.stored === true; head = this.#entries[0]) {
      this.#entries.shift();
      this.#bytes -= head.bytes;
      last = head.sequence > 0n ? head.sequence : last;
    }
    if (last > 0n && this.#failure === undefined) {
      this.#onStored(last);
    }
    this.#changed.notifyAll();
  }

  #fail(entry: Entry, cause: unknown): void {
    this.#memory.release(entry.bytes);
    entry.onOutcome(cause);
    if (this.#failure === undefined) {
      this.#failure = new RetryableError(`publish failed: ${toMessage(cause)}`, { cause });
      this.#onFailure(this.#failure);
      this.#changed.notifyAll();
    }
  }

  #throwIfFailed(): void {
    if (this.#failure !== undefined) {
      throw this.#failure;
    }
  }
}
