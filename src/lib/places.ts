import { waitFor } from "./abort.ts";

/** A number of places, which go to those that wait in their order. */
export class Places {
  readonly #waiting = new Set<() => void>();
  #free: number;

  constructor(count: number) {
    this.#free = count;
  }

  /** Takes a place. Dispose of it, once or more often, to give it back. Rejects with the reason of `signal`. */
  async take(signal: AbortSignal): Promise<Disposable> {
    if (this.#free > 0) {
      this.#free -= 1;
    } else {
      await this.#wait(signal);
    }
    let isTaken = true;
    return {
      [Symbol.dispose]: () => {
        if (isTaken) {
          isTaken = false;
          this.#giveBack();
        }
      },
    };
  }

  async #wait(signal: AbortSignal): Promise<void> {
    const given = Promise.withResolvers<void>();
    this.#waiting.add(given.resolve);
    try {
      await waitFor(signal, given.promise);
    } catch (error) {
      // The place may have been given in the moment of the abort.
      if (!this.#waiting.delete(given.resolve)) {
        this.#giveBack();
      }
      throw error;
    }
  }

  #giveBack(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free += 1;
    } else {
      this.#waiting.delete(next);
      next();
    }
  }
}
