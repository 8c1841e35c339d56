import { waitFor } from "./abort.ts";

/** Lets functions wait for a change: each {@link notifyAll} resolves all current waits. */
export class Condition {
  /**
   * One promise for each wait: an aborted wait would leave its reaction in a shared promise, which leaks
   * memory.
   */
  readonly #waiting = new Set<() => void>();

  notifyAll(): void {
    for (const wake of this.#waiting) {
      wake();
    }
    this.#waiting.clear();
  }

  /**
   * Waits for the next notification. Test the condition and call this without an `await` in between, or a
   * notification can be missed. {@link waitUntil} does both.
   */
  async wait(signal: AbortSignal): Promise<void> {
    const notified = Promise.withResolvers<void>();
    this.#waiting.add(notified.resolve);
    try {
      await waitFor(signal, notified.promise);
    } finally {
      this.#waiting.delete(notified.resolve);
    }
  }

  /**
   * Waits until the predicate is true, and tests it again after each notification. Ignores the signal if the
   * predicate is true at the first test. Rejects with an error that the predicate throws.
   */
  async waitUntil(signal: AbortSignal, predicate: () => boolean): Promise<void> {
    while (!predicate()) {
      await this.wait(signal);
    }
  }
}
