/** Bounds of what an ingester holds. */
export interface HoldLimits {
  /** Deliveries that are held before no more are taken. */
  readonly maxItems: number;
  /** Of one key, at most so many count towards {@link maxItems}, so that a cluster that is held up leaves room. */
  readonly maxItemsPerKey: number;
  /** Bytes of payload that are held before no more are taken. */
  readonly maxBytes: number;
}

/** One delivery that is held. */
export interface Held {
  /** Undefined once it was shed: only the bus has it now. */
  readonly payload: Uint8Array | undefined;
  /** The delivery has come to its end. */
  release(): void;
}

/**
 * Counts what an ingester has taken and not yet settled, and says when that is enough.
 *
 * A bus hands out what it has in its order, whichever cluster it is for. So a cluster that has to wait, behind a lock
 * that somebody holds in psql for instance, would soon fill the window and hold up all others. Here its deliveries
 * beyond a number do not count, and when they take too many bytes the newest of them are *shed*: they stay
 * unacknowledged, but their payloads are forgotten, and the bus has to be asked for them again once the cluster goes on.
 */
export class KeyedWindow {
  readonly #limits: HoldLimits;
  readonly #lanes = new Map<string, Lane>();
  #counted = 0;
  #bytes = 0;
  #changed = Promise.withResolvers<void>();

  constructor(limits: HoldLimits) {
    this.#limits = limits;
  }

  /** Payload bytes that are held. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Deliveries that are held, shed ones included. */
  get items(): number {
    return [...this.#lanes.values()].reduce((sum, { entries }) => sum + entries.size, 0);
  }

  /** Keys that wait for something. */
  get stuckKeys(): number {
    return [...this.#lanes.values()].filter(({ isStuck }) => isStuck).length;
  }

  /** Whether something is held that waits for nothing. */
  get isMoving(): boolean {
    return [...this.#lanes.values()].some(({ isStuck }) => !isStuck);
  }

  /** Whether nothing more should be taken for now. */
  get isFull(): boolean {
    return this.#counted >= this.#limits.maxItems || this.#bytes >= this.#limits.maxBytes;
  }

  /** Resolves with the next change. */
  changed(): Promise<void> {
    return this.#changed.promise;
  }

  /** Takes a delivery in. */
  add(key: string, payload: Uint8Array): Held {
    const lane = this.#lanes.get(key) ?? { entries: new Set(), isStuck: false };
    this.#lanes.set(key, lane);
    const entry: Entry = { payload, release: () => this.#release(key, lane, entry) };
    this.#count(lane, () => lane.entries.add(entry));
    this.#bytes += payload.byteLength;
    this.#shed();
    return entry;
  }

  /** Says that the key waits for something that may take long, or does no more. */
  setStuck(key: string, isStuck: boolean): void {
    const lane = this.#lanes.get(key);
    if (lane !== undefined && lane.isStuck !== isStuck) {
      lane.isStuck = isStuck;
      this.#shed();
      this.#wake();
    }
  }

  #release(key: string, lane: Lane, entry: Entry): void {
    this.#count(lane, () => lane.entries.delete(entry));
    this.#bytes -= entry.payload?.byteLength ?? 0;
    if (lane.entries.size === 0) {
      this.#lanes.delete(key);
    }
    this.#wake();
  }

  /** Forgets payloads of keys that are stuck, from their ends, until there is room or nothing to forget. */
  #shed(): void {
    if (this.#bytes < this.#limits.maxBytes) {
      return;
    }
    for (const lane of this.#lanes.values()) {
      if (lane.isStuck) {
        for (const entry of [...lane.entries].slice(this.#limits.maxItemsPerKey).reverse()) {
          if (this.#bytes < this.#limits.maxBytes) {
            return;
          }
          this.#bytes -= entry.payload?.byteLength ?? 0;
          entry.payload = undefined;
        }
      }
    }
  }

  #count(lane: Lane, change: () => void): void {
    const before = this.#countOf(lane);
    change();
    this.#counted += this.#countOf(lane) - before;
  }

  #countOf({ entries }: Lane): number {
    return Math.min(entries.size, this.#limits.maxItemsPerKey);
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}

interface Lane {
  /** In the order in which they came. */
  readonly entries: Set<Entry>;
  isStuck: boolean;
}

interface Entry extends Held {
  payload: Uint8Array | undefined;
}

/** Work by key: in order within a key, side by side between keys. */
export interface Lanes {
  /** Adds work behind what the key has. The work must not reject. */
  add(key: string, work: () => Promise<void>): void;
  /** Resolves once no work is left. */
  idle(): Promise<void>;
}

/** Makes lanes; a lane that has run empty takes no memory. */
export function createLanes(): Lanes {
  const lanes = new Map<string, Promise<void>>();
  return {
    add(key, work) {
      const mine = (lanes.get(key) ?? Promise.resolve()).then(work).finally(() => {
        if (lanes.get(key) === mine) {
          lanes.delete(key);
        }
      });
      lanes.set(key, mine);
    },
    async idle() {
      while (lanes.size > 0) {
        await Promise.all(lanes.values());
      }
    },
  };
}
