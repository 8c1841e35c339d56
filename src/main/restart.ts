/** Lets one part of a program have another begin anew. */
export class Restart {
  #asked = new AbortController();

  /** Aborts when it should end, and begin anew with the signal that is there then. */
  get signal(): AbortSignal {
    return this.#asked.signal;
  }

  ask(reason: string): void {
    this.#asked.abort(new Error(reason));
    this.#asked = new AbortController();
  }
}
