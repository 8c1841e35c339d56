import { waitFor } from "../../lib/abort.ts";
import { Condition } from "../../lib/condition.ts";
import type { OutgoingMessage } from "../bus.ts";
import { MemorySubscription, type StoredMessage } from "./subscription.ts";

/** Bounds of a topic. At least one message always fits. */
export interface MemoryTopicLimits {
  readonly maxItems: number;
  readonly maxBytes: number;
}

/** One topic of the memory bus. Publishers wait their turn while it is full. */
export class MemoryTopic {
  readonly #limits: MemoryTopicLimits;
  readonly #subscriptions = new Map<string, MemorySubscription>();
  /** Subscriptions that have yet to acknowledge a message. */
  readonly #owing = new Map<StoredMessage, number>();
  #bytes = 0;
  #nextMessageId = 1;
  readonly #released = new Condition();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(limits: MemoryTopicLimits) {
    this.#limits = limits;
  }

  /** Finds or makes a subscription; it sees what is stored from then on. */
  subscription(name: string): MemorySubscription {
    const existing = this.#subscriptions.get(name);
    if (existing !== undefined) {
      return existing;
    }
    const subscription = new MemorySubscription((stored) => this.#release(stored));
    this.#subscriptions.set(name, subscription);
    return subscription;
  }

  /** Stores the message once there is room; calls are served in their order. */
  async store(signal: AbortSignal, message: OutgoingMessage): Promise<void> {
    const before = this.#turn;
    const mine = Promise.withResolvers<void>();
    this.#turn = mine.promise;
    try {
      await waitFor(signal, before);
      await this.#released.waitUntil(signal, () => this.#fits(message));
      this.#append(message);
    } finally {
      // A publisher that gives up while it waits must not let those behind it pass those in front of it.
      void before.then(() => mine.resolve());
    }
  }

  /** Resolves once every message has been acknowledged by all that have to. */
  async emptied(signal: AbortSignal): Promise<void> {
    await this.#released.waitUntil(signal, () => this.#owing.size === 0);
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

  #append(message: OutgoingMessage): void {
    const stored = { messageId: this.#nextMessageId++, message };
    if (this.#subscriptions.size === 0) {
      return;
    }
    this.#owing.set(stored, this.#subscriptions.size);
    this.#bytes += message.payload.byteLength;
    for (const subscription of this.#subscriptions.values()) {
      subscription.add(stored);
    }
  }

  #release(stored: StoredMessage): void {
    const owing = (this.#owing.get(stored) ?? 0) - 1;
    if (owing > 0) {
      this.#owing.set(stored, owing);
      return;
    }
    if (this.#owing.delete(stored)) {
      this.#bytes -= stored.message.payload.byteLength;
      this.#released.notifyAll();
    }
  }
}
