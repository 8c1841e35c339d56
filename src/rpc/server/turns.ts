// biome-ignore lint/style/noRestrictedImports: a simulation never runs Node's HTTP server.
import { setImmediate } from "node:timers";

/** Cost of the work that begins in one turn of the event loop. A request costs 1. */
const COST_OF_TURN = 8;

/** Bytes of a message that cost as much as a request. */
const BYTES_OF_REQUEST = 32 * 1024;

/** Work that may wait. Each request that waits takes about 25 KB. */
const MAX_WAITING = 1_000;

/** Work of one connection that may wait when there is more. */
const MAX_WAITING_OF_CONNECTION = 10;

interface Work {
  readonly cost: number;
  readonly begin: () => void;
}

/**
 * Lets the work of many connections begin in turns of the event loop, a little in each. Connections take turns, so a
 * connection with a thousand requests delays another one by one of them, and others by what fits into a turn.
 */
export class Turns {
  /** Work that waits, by connection. The first connection is the next one. */
  readonly #waiting = new Map<object, Work[]>();
  #count = 0;
  #begun = 0;
  #isScheduled = false;

  /** True if much work waits, of this connection too. */
  isFull(connection: object): boolean {
    const ofConnection = this.#waiting.get(connection)?.length ?? 0;
    return this.#count >= MAX_WAITING && ofConnection >= MAX_WAITING_OF_CONNECTION;
  }

  /** Waits for the turn of a request, or of a message of this size. */
  async take(connection: object, bytes = 0): Promise<void> {
    const cost = Math.max(1, Math.ceil(bytes / BYTES_OF_REQUEST));
    this.#schedule();
    if (this.#waiting.size === 0 && this.#begun < COST_OF_TURN) {
      this.#begun += cost;
      return;
    }
    await new Promise<void>((begin) => {
      const works = this.#waiting.get(connection) ?? [];
      this.#waiting.set(connection, works);
      works.push({ cost, begin });
      this.#count += 1;
    });
  }

  #schedule(): void {
    if (!this.#isScheduled) {
      this.#isScheduled = true;
      setImmediate(() => this.#next());
    }
  }

  #next(): void {
    this.#isScheduled = false;
    this.#begun = 0;
    for (const [connection, works] of this.#waiting) {
      if (this.#begun >= COST_OF_TURN) {
        break;
      }
      // Behind all others, so that this loop reaches it again after them.
      this.#waiting.delete(connection);
      const work = works.shift();
      this.#count -= 1;
      if (works.length > 0) {
        this.#waiting.set(connection, works);
      }
      this.#begun += work?.cost ?? 0;
      work?.begin();
    }
    if (this.#begun > 0) {
      this.#schedule();
    }
  }
}
