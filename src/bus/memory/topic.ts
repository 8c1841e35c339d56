import { waitFor } from "../../lib/abort.ts";
import { Condition } from "../../lib/condition.ts";
import type { OutgoingMessage } from "../bus.ts";
import { MemorySubscription, type StoredMessage } from "./subscription.ts";

/** Limits of a topic. An empty topic accepts one message of any size. */
export interface MemoryTopicLimits {
  readonly maxItems: number;
  readonly maxBytes: number;
}

/**
 * One topic of the memory bus. Publishers of a key wait in their order while the topic, or their key's share of it, is
 * full. A key may take half of what is free then, so that any number of clusters that wait leave room for the others.
 */
export class MemoryTopic {
  readonly #limits: MemoryTopicLimits;
  readonly #subscriptions = new Map<string, MemorySubscription>();
  /** For each message, the number of subscriptions that have not acknowledged it. */
  readonly #owing = new Map<StoredMessage, number>();
  readonly #total: Usage = { items: 0, bytes: 0 };
  /** For each key, its messages in the topic. */
  readonly #ofKey = new Map<string, Usage>();
  #nextMessageId = 1;
  readonly #released = new Condition();
  /** For each key, the end of its last publisher's turn. */
  readonly #turns = new Map<string, Promise<unknown>>();

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
    const { key } = message;
    const before = this.#turns.get(key) ?? Promise.resolve();
    const mine = Promise.withResolvers<void>();
    this.#turns.set(key, mine.promise);
    try {
      await waitFor(signal, before);
      await this.#released.waitUntil(signal, () => this.#fits(message));
      return this.#append(message);
    } finally {
      // If a publisher gives up its wait, the publishers behind it must not overtake those in front of it.
      void before.then(() => {
        mine.resolve();
        if (this.#turns.get(key) === mine.promise) {
          this.#turns.delete(key);
        }
      });
    }
  }

  close(): void {
    for (const subscription of this.#subscriptions.values()) {
      subscription.close();
    }
  }

  #fits({ key, payload: { byteLength } }: OutgoingMessage): boolean {
    const freeItems = this.#limits.maxItems - this.#total.items;
    const freeBytes = this.#limits.maxBytes - this.#total.bytes;
    const { items, bytes } = this.#ofKey.get(key) ?? { items: 0, bytes: 0 };
    if (items === 0) {
      return this.#total.items === 0 || (freeItems >= 1 && freeBytes >= byteLength);
    }
    return (items + 1) * 2 <= freeItems && (bytes + byteLength) * 2 <= freeBytes;
  }

  #append(message: OutgoingMessage): StoredMessage {
    const stored = { messageId: this.#nextMessageId++, message, released: Promise.withResolvers<void>() };
    if (this.#subscriptions.size === 0) {
      stored.released.resolve();
      return stored;
    }
    this.#owing.set(stored, this.#subscriptions.size);
    this.#count(message, 1);
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
      this.#count(stored.message, -1);
      stored.released.resolve();
      this.#released.notifyAll();
    }
  }

  #count({ key, payload }: OutgoingMessage, change: 1 | -1): void {
    const ofKey = this.#ofKey.get(key) ?? { items: 0, bytes: 0 };
    this.#ofKey.set(key, ofKey);
    for (const usage of [this.#total, ofKey]) {
      usage.items += change;
      usage.bytes += change * payload.byteLength;
    }
    if (ofKey.items === 0) {
      this.#ofKey.delete(key);
    }
  }
}

interface Usage {
  items: number;
  bytes: number;
}
