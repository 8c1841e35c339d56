import { waitFor } from "./abort.ts";

/**
 * Wakes those who wait for a change, each time there is one. Who waits has to look, then wait, without
 * awaiting between.
 */
export class Condition {
  #next = Promise.withResolvers<void>();

  notifyAll(): void {
    this.#next.resolve();
    this.#next = Promise.withResolvers<void>();
  }

  async wait(signal: AbortSignal): Promise<void> {
    await waitFor(signal, this.#next.promise);
  }
}
