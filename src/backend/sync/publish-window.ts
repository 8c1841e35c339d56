import type { OutgoingMessage, Producer } from "../../bus/bus.ts";
import { Condition } from "../../lib/condition.ts";
import { RetryableError, toMessage } from "../../lib/errors.ts";

/** Most unconfirmed bytes of one session. */
const MAX_IN_FLIGHT_BYTES = 4 * 1024 * 1024;

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

  /** Waits until no message is in flight, or a publish has failed. */
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
