import type { OutgoingMessage, Producer } from "../../bus/bus.ts";
import { Condition } from "../../lib/condition.ts";
import { RetryableError, toMessage } from "../../lib/errors.ts";

/** Most that is on its way to the bus for one session. */
const MAX_IN_FLIGHT_BYTES = 4 * 1024 * 1024;

interface Entry {
  /** 0 for what the agent did not number. */
  readonly sequence: bigint;
  readonly bytes: number;
  readonly onOutcome: (error?: unknown) => void;
  stored: boolean;
}

/**
 * Publishes a session's messages in their order, several at a time, and tells how far the contiguous prefix of
 * receipts reaches. After a publish that failed or whose receipt is unknown nothing more is published and nothing
 * more is acknowledged: what was already on its way behind it may be stored, and the agent sends it all again.
 */
export class PublishWindow {
  readonly #producer: Producer;
  readonly #onStored: (sequence: bigint) => void;
  readonly #onFailure: (error: Error) => void;
  readonly #entries: Entry[] = [];
  #bytes = 0;
  #failure: Error | undefined;
  readonly #changed = new Condition();

  constructor(
    producer: Producer,
    on: { readonly stored: (sequence: bigint) => void; readonly failure: (error: Error) => void },
  ) {
    this.#producer = producer;
    this.#onStored = on.stored;
    this.#onFailure = on.failure;
  }

  /**
   * Hands the message to the bus as soon as the window has room; rejects once a publish has failed. What became of it
   * is told to `settled`.
   */
  async publish(
    signal: AbortSignal,
    sequence: bigint,
    message: OutgoingMessage,
    onOutcome: (error?: unknown) => void,
  ): Promise<void> {
    const bytes = message.payload.byteLength;
    await this.#changed.waitUntil(signal, () => {
      this.#throwIfFailed();
      return this.#entries.length === 0 || this.#bytes + bytes <= MAX_IN_FLIGHT_BYTES;
    });
    const entry: Entry = { sequence, bytes, onOutcome, stored: false };
    this.#entries.push(entry);
    this.#bytes += bytes;
    this.#producer.publish(signal, message).then(
      () => this.#store(entry),
      (error: unknown) => this.#fail(entry, error),
    );
  }

  /** Resolves once nothing is on its way any more. */
  async flush(signal: AbortSignal): Promise<void> {
    await this.#changed.waitUntil(signal, () => this.#entries.length === 0 || this.#failure !== undefined);
  }

  #store(entry: Entry): void {
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
    entry.onOutcome(cause);
    if (this.#failure === undefined) {
      this.#failure = new RetryableError(`the bus has not taken a message: ${toMessage(cause)}`, { cause });
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
