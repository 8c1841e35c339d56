import { createHash } from "node:crypto";
import type { VirtualTime } from "./virtual-time.ts";

/** The history of a simulation, one line for each thing that happened. Two runs of a seed have equal traces. */
export class Trace {
  readonly #time: VirtualTime;
  readonly #lines: string[] = [];

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  get lines(): readonly string[] {
    return this.#lines;
  }

  /** Adds a line: who, and what. */
  add(who: string, what: string): void {
    this.#lines.push(`${(this.#time.elapsedMs / 1000).toFixed(3).padStart(9)} ${who}: ${what}`);
  }

  /** Returns the SHA-256 of all lines, in hexadecimal. */
  hash(): string {
    const hash = createHash("sha256");
    for (const line of this.#lines) {
      hash.update(line).update("\n");
    }
    return hash.digest("hex");
  }
}
