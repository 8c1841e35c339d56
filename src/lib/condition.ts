import { waitFor } from "./abort.ts";

/** A change that others wait for: each {@link notifyAll} wakes all that wait. */
export class Condition {
  /** One promise for each wait: a wait that is aborted would leave its reaction behind in one for all. */
  readonly #waiting = new Set<() => void>();

  notifyAll(): void {
    for (const wake of this.#waiting) {
      wake();
    }
    this.#waiting.clear();
  }

  /**
   * Waits for the next notification. Test the condition and call this without an `await` in between, or a
   * notification can be missed; {@link waitUntil} does that.
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
   * Waits until the predicate is true, and tests it again after each notification. Ignores the signal when the
   * predicate is true at once; rejects with an error that the predicate throws.
   */
  async waitUntil(signal: AbortSignal, predicate: () => boolean): Promise<void> {
    while (!predicate()) {
      await this.wait(signal);
    }
  }
}
