import { Condition } from "../lib/condition.ts";

/** Bounds of a {@link KeyedWindow}. */
export interface WindowLimits {
  /** Number of counted deliveries at which the window is full. */
  readonly maxItems: number;
  /**
   * Most deliveries of one key that count towards {@link maxItems}, so that a blocked cluster leaves room.
   */
  readonly maxItemsPerKey: number;
  /** Payload bytes at which the window is full. */
  readonly maxBytes: number;
}

/**
 * Processes one delivery. The payload is undefined if it was evicted; then only the bus has it. Must not
 * reject.
 */
export type WindowWork = (payload: Uint8Array | undefined) => Promise<void>;

/**
 * The unprocessed deliveries of an ingester: in order within a key, different keys in parallel.
 *
 * A bus delivers in its own order, regardless of clusters. A cluster that has to wait, for instance for a
 * lock in a psql session, would soon fill the window and delay all others. Therefore only a limited number of
 * its deliveries counts. When its deliveries take too many bytes, the payloads of the newest ones are
 * *evicted*: they stay unacknowledged, and the bus must deliver them again after the cluster recovers.
 */
export class KeyedWindow {
  readonly #limits: WindowLimits;
  readonly #lanes = new Map<string, Lane>();
  readonly #changed = new Condition();
  #counted = 0;
  #bytes = 0;

  constructor(limits: WindowLimits) {
    this.#limits = limits;
  }

  /** Payload bytes in memory. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Deliveries in the window, including those with an evicted payload. */
  get items(): number {
    return [...this.#lanes.values()].reduce((sum, { entries }) => sum + entries.size, 0);
  }

  /** Number of keys whose first delivery waits to be retried. */
  get blockedKeys(): number {
    return [...this.#lanes.values()].filter(({ isBlocked }) => isBlocked).length;
  }

  /** True if the ingester should accept no more deliveries. */
  get isFull(): boolean {
    return this.#counted >= this.#limits.maxItems || this.#bytes >= this.#limits.maxBytes;
  }

  /**
   * Adds a delivery. Its work starts after all earlier work of its key, and it leaves the window when its
   * work ends.
   */
  add(key: string, payload: Uint8Array, work: WindowWork): void {
    const lane = this.#lanes.get(key) ?? { entries: new Set(), isBlocked: false, tail: Promise.resolve() };
    this.#lanes.set(key, lane);
    const entry: Entry = { payload };
    this.#count(lane, () => lane.entries.add(entry));
    this.#bytes += payload.byteLength;
    this.#evictPayloads();
    lane.tail = lane.tail.then(() => work(entry.payload)).finally(() => this.#remove(key, lane, entry));
  }

  /** Marks a key as blocked while its first delivery waits to be retried. */
  setBlocked(key: string, isBlocked: boolean): void {
    const lane = this.#lanes.get(key);
    if (lane !== undefined && lane.isBlocked !== isBlocked) {
      lane.isBlocked = isBlocked;
      this.#evictPayloads();
      this.#changed.notifyAll();
    }
  }

  /** Waits until the window is not full. */
  async waitForRoom(signal: AbortSignal): Promise<void> {
    await this.#changed.waitUntil(signal, () => !this.isFull);
  }

  /** Waits until no delivery is left except those of blocked keys. */
  async waitUntilIdle(signal: AbortSignal): Promise<void> {
    await this.#changed.waitUntil(signal, () => this.#lanes.values().every(({ isBlocked }) => isBlocked));
  }

  /** Waits until no delivery is left. */
  async waitUntilEmpty(signal: AbortSignal): Promise<void> {
    await this.#changed.waitUntil(signal, () => this.#lanes.size === 0);
  }

  #remove(key: string, lane: Lane, entry: Entry): void {
    this.#count(lane, () => lane.entries.delete(entry));
    this.#bytes -= entry.payload?.byteLength ?? 0;
    if (lane.entries.size === 0) {
      this.#lanes.delete(key);
    }
    this.#changed.notifyAll();
  }

  /** Drops payloads of blocked keys, the newest first, until there is room or no payload is left to drop. */
  #evictPayloads(): void {
    if (this.#bytes < this.#limits.maxBytes) {
      return;
    }
    for (const lane of this.#lanes.values()) {
      if (lane.isBlocked) {
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
}

/** The deliveries of one key. A lane without deliveries is removed. */
interface Lane {
  /** In the order of arrival. */
  readonly entries: Set<Entry>;
  isBlocked: boolean;
  /** Resolves when the work of all entries has ended. */
  tail: Promise<void>;
}

interface Entry {
  payload: Uint8Array | undefined;
}
