import { Condition } from "./condition.ts";

/** Limits of a {@link BoundedQueue}. At least one item always fits, whatever its size. */
export interface QueueLimits {
  readonly maxItems: number;
  readonly maxBytes: number;
}

/**
 * A queue of one consumer, limited in items and in bytes.
 *
 * What happens on overflow is the caller's choice of method: {@link offer} refuses, {@link push} waits.
 * After {@link close} the items left are still taken; then the iteration ends, or throws the close's reason.
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

  /** Adds the item, or returns false because there is no room for it or the queue is closed. */
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

  /** Adds the item as soon as there is room. */
  async push(signal: AbortSignal, item: T): Promise<void> {
    while (!this.offer(item)) {
      signal.throwIfAborted();
      if (this.#closed !== undefined) {
        throw this.#closed.error ?? new Error("queue is closed");
      }
      await this.#taken.wait(signal);
    }
  }

  /** Ends the queue; with an error, the consumer sees it after the items left. */
  close(error?: unknown): void {
    this.#closed ??= error === undefined ? {} : { error };
    this.#added.notifyAll();
    this.#taken.notifyAll();
  }

  /** Takes items as they come, until the queue is closed and empty or `signal` aborts. */
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
