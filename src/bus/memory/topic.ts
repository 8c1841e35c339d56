import { waitFor } from "../../lib/abort.ts";
import { Condition } from "../../lib/condition.ts";
import type { OutgoingMessage } from "../bus.ts";
import { MemorySubscription, type StoredMessage } from "./subscription.ts";

/** Limits of a topic. An empty topic accepts one message of any size. */
export interface MemoryTopicLimits {
  readonly maxItems: number;
  readonly maxBytes: number;
}

/** One topic of the memory bus. Publishers wait in their order while it is full. */
export class MemoryTopic {
  readonly #limits: MemoryTopicLimits;
  readonly #subscriptions = new Map<string, MemorySubscription>();
  /** For each message, the number of subscriptions that have not acknowledged it. */
  readonly #owing = new Map<StoredMessage, number>();
  #bytes = 0;
  #nextMessageId = 1;
  readonly #released = new Condition();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(limits: MemoryTopicLimits) {
    this.#limits = limits;
  }

  /** Returns a subscription. A new one receives the messages that are stored after this call. */
  subscription(name: string): MemorySubscription {
    const existing = this.#subscriptions.get(name);
    if (existing !== undefined) {
      return existing;
    }
    const subscription = new MemorySubscription((stored) => this.#release(stored));
    this.#subscriptions.set(name, subscription);
    return subscription;
  }

  /** Stores the message as soon as there is room, in the order of the calls. */
  async store(signal: AbortSignal, message: OutgoingMessage): Promise<StoredMessage> {
    const before = this.#turn;
    const mine = Promise.withResolvers<void>();
    this.#turn = mine.promise;
    try {
      await waitFor(signal, before);
      await this.#released.waitUntil(signal, () => this.#fits(message));
      return this.#append(message);
    } finally {
      // If a publisher gives up its wait, the publishers behind it must not overtake those in front of it.
      void before.then(() => mine.resolve());
    }
  }

  close(): void {
    for (const subscription of this.#subscriptions.values()) {
      subscription.close();
    }
  }

  #fits(message: OutgoingMessage): boolean {
    const { maxItems, maxBytes } = this.#limits;
    return (
      this.#owing.size === 0 ||
      (this.#owing.size < maxItems && this.#bytes + message.payload.byteLength <= maxBytes)
    );
  }

  #append(message: OutgoingMessage): StoredMessage {
    const stored = { messageId: this.#nextMessageId++, message, released: Promise.withResolvers<void>() };
    if (this.#subscriptions.size === 0) {
      stored.released.resolve();
      return stored;
    }
    this.#owing.set(stored, this.#subscriptions.size);
    this.#bytes += message.payload.byteLength;
    for (const subscription of this.#subscriptions.values()) {
      subscription.add(stored);
    }
    return stored;
  }

  #release(stored: StoredMessage): void {
    const owing = (this.#owing.get(stored) ?? 0) - 1;
    if (owing > 0) {
      this.#owing.set(stored, owing);
      return;
    }
    if (this.#owing.delete(stored)) {
      this.#bytes -= stored.message.payload.byteLength;
      stored.released.resolve();
      this.#released.notifyAll();
    }
  }
}
