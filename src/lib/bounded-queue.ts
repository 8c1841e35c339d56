import { Condition } from "./condition.ts";

/** Limits of a {@link BoundedQueue}. An empty queue accepts one item of any size. */
export interface QueueLimits {
  readonly maxItems: number;
  readonly maxBytes: number;
}

/**
 * A queue with one consumer, limited in items and in bytes. If the queue is full, {@link offer} refuses and
 * {@link push} waits. After {@link close} the consumer takes the remaining items; then its iteration ends, or
 * throws the error of the close.
 */
export class BoundedQueue<T> {
  readonly #limits: QueueLimits;
  readonly #sizeOf: (item: T) => number;
  #items: T[] = [];
  #bytes = 0;
  #closed: { readonly error?: unknown } | undefined;
  readonly #added = new Condition();
  readonly #taken = new Condition();

  constructor(limits: QueueLimits, sizeOf: (item: T) => number) {
    this.#limits = limits;
    this.#sizeOf = sizeOf;
  }

  get length(): number {
    return this.#items.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Adds the item. Returns false if the queue is full or closed. */
  offer(item: T): boolean {
    const bytes = this.#sizeOf(item);
    if (this.#closed !== undefined || !this.#fits(bytes)) {
      return false;
    }
    this.#items.push(item);
    this.#bytes += bytes;
    this.#added.notifyAll();
    return true;
  }

  /** Adds the item as soon as there is room. Rejects if the queue is closed. */
  async push(signal: AbortSignal, item: T): Promise<void> {
    while (!this.offer(item)) {
      signal.throwIfAborted();
      if (this.#closed !== undefined) {
        throw this.#closed.error ?? new Error("the queue is closed");
      }
      await this.#taken.wait(signal);
    }
  }

  /** Closes the queue. The consumer receives the error, if any, after the remaining items. */
  close(error?: unknown): void {
    this.#closed ??= error === undefined ? {} : { error };
    this.#added.notifyAll();
    this.#taken.notifyAll();
  }

  /**
   * Yields items as they arrive until the queue is closed and empty. Throws the signal's reason if it aborts.
   */
  async *take(signal: AbortSignal): AsyncGenerator<T, void, undefined> {
    for (;;) {
      signal.throwIfAborted();
      const item = this.#shift();
      if (item !== undefined) {
        yield item.value;
        continue;
      }
      if (this.#closed !== undefined) {
        if (this.#closed.error !== undefined) {
          throw this.#closed.error;
        }
        return;
      }
      await this.#added.wait(signal);
    }
  }

  #fits(bytes: number): boolean {
    if (this.#items.length === 0) {
      return true;
    }
    return this.#items.length < this.#limits.maxItems && this.#bytes + bytes <= this.#limits.maxBytes;
  }

  #shift(): { readonly value: T } | undefined {
    if (this.#items.length === 0) {
      return undefined;
    }
    const value = this.#items.shift() as T;
    this.#bytes -= this.#sizeOf(value);
    this.#taken.notifyAll();
    return { value };
  }
}
