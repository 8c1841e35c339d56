import { waitFor } from "./abort.ts";

/**
 * Wakes those who wait for a change, each time there is one. Who waits has to look, then wait, without
 * awaiting between.
 */
export class WakeUp {
  #next = Promise.withResolvers<void>();

  wake(): void {
    this.#next.resolve();
    this.#next = Promise.withResolvers<void>();
  }

  async wait(signal: AbortSignal): Promise<void> {
    await waitFor(signal, this.#next.promise);
  }
}
