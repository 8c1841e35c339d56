import type { Delivery } from "../bus/bus.ts";
import { waitFor, withinDeadline } from "../lib/abort.ts";
import type { Clock } from "../lib/clock.ts";
import { Condition } from "../lib/condition.ts";
import { RetryableError } from "../lib/errors.ts";
import { Lane, type LaneEntry } from "./lane.ts";

/** Bounds of the deliveries in memory. One more delivery can exceed each of them. */
export interface WindowLimits {
  readonly maxItems: number;
  readonly maxBytes: number;
  /** The share of one key, so that a slow or blocked cluster leaves room. */
  readonly maxItemsPerKey: number;
  readonly maxBytesPerKey: number;
}

export interface WindowOptions {
  readonly limits: WindowLimits;
  /** False if the bus may change the order of messages that are given back. Then every delivery is held. */
  readonly canDefer: boolean;
  readonly clock: Clock;
  /** Returns the memory that a payload takes while it is processed, in bytes. */
  readonly bytesOf: (payload: Uint8Array) => number;
}

/** The first delivery of a key, for its work. */
export interface WindowItem {
  readonly key: string;
  readonly messageId: string;
  /** Number of deliveries before the first one to this consumer: those that the window requested do not count. */
  readonly redeliveryCount: number;
  /**
   * Returns the delivery, and requests it from the bus if it is not in memory.
   *
   * @throws NotRedeliveredError if it does not arrive in time
   */
  load(signal: AbortSignal): Promise<Delivery>;
}

/** Reports that the bus has not delivered a requested message. Only a new consumer receives it in order. */
export class NotRedeliveredError extends RetryableError {
  override readonly name = "NotRedeliveredError";
}

/** Processes one delivery. Must not reject. */
export type WindowWork = (item: WindowItem) => Promise<void>;

/**
 * Time in which the bus delivers a requested message, in milliseconds. It takes a fraction of a second, but never
 * arrives if the bus is about to move the key to another consumer: that one waits until this consumer has
 * acknowledged or given back all messages of the key, or leaves. Pulsar changes their order if they are given back.
 */
export const REDELIVERY_MS = 5_000;

/**
 * The unprocessed deliveries of an ingester: in order within a key, different keys in parallel.
 *
 * A bus delivers in its own order, regardless of clusters. A cluster that is slow, or waits for a lock, would soon
 * fill the memory and delay all others. Therefore the window keeps a share of each key in memory, and of a key that
 * waits for its next attempt at most its first delivery. The others stay unacknowledged with the bus: the window
 * keeps only their ids, and requests them in their order when they are next. The order is that of their first
 * arrival, not that in which they arrive again.
 */
export class KeyedWindow {
  readonly #limits: WindowLimits;
  readonly #canDefer: boolean;
  readonly #clock: Clock;
  readonly #bytesOf: (payload: Uint8Array) => number;
  readonly #lanes = new Map<string, Lane>();
  /** Lanes whose first delivery is not in memory and should be, in the order in which they need it. */
  readonly #hungry = new Set<Lane>();
  /** Lanes that wait for their next attempt, and hold their first delivery meanwhile. */
  readonly #evictable = new Set<Lane>();
  readonly #changed = new Condition();
  #items = 0;
  #bytes = 0;
  #requested = 0;
  #hasLeft = false;

  constructor({ limits, canDefer, clock, bytesOf }: WindowOptions) {
    this.#limits = limits;
    this.#canDefer = canDefer;
    this.#clock = clock;
    this.#bytesOf = bytesOf;
  }

  /** Memory of the deliveries that are held or requested, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Deliveries in the window, also those that are left with the bus. */
  get items(): number {
    return this.#sum(({ entries }) => entries.size);
  }

  /** Deliveries that are left with the bus. */
  get deferredItems(): number {
    return this.#sum(({ deferred }) => deferred);
  }

  /** Number of keys whose first delivery waits to be retried. */
  get blockedKeys(): number {
    return this.#sum(({ isBlocked }) => Number(isBlocked));
  }

  /** True if no further delivery should be held. */
  get isFull(): boolean {
    return this.#items >= this.#limits.maxItems || this.#bytes >= this.#limits.maxBytes;
  }

  /** Adds a delivery, or one that was requested. Its work starts after all earlier work of its key. */
  add(delivery: Delivery, work: WindowWork): void {
    const { key, messageId, payload, redeliveryCount, redeliver } = delivery;
    const lane = this.#lanes.get(key) ?? new Lane();
    this.#lanes.set(key, lane);
    const known = lane.entries.get(messageId);
    if (known !== undefined) {
      this.#arrive(lane, known, delivery);
      return;
    }
    const isNext = lane.deferred === 0 && !lane.isBlocked;
    const bytes = this.#bytesOf(payload);
    const entry: LaneEntry = {
      ...{ messageId, bytes, redeliveryCount, redeliver },
      place: "deferred",
      delivery: undefined,
    };
    lane.add(entry);
    if (!this.#canDefer || (isNext && this.#hasRoom(lane))) {
      this.#hold(lane, entry, delivery);
    }
    if (!lane.isRunning) {
      void this.#run(key, lane, work);
    }
  }

  /** Marks a key as blocked while its first delivery waits to be retried. */
  setBlocked(key: string, isBlocked: boolean): void {
    const lane = this.#lanes.get(key);
    if (lane === undefined) {
      return;
    }
    lane.isBlocked = isBlocked;
    lane.isWaiting = isBlocked;
    if (isBlocked) {
      this.#defer(lane, ...lane.entries.values().filter((entry) => entry !== lane.first));
      this.#evictable.add(lane);
      this.#evict();
    } else {
      this.#evictable.delete(lane);
    }
    this.#change();
  }

  /** Waits until the caller should receive further deliveries. Those that were requested arrive among them. */
  async waitForRoom(signal: AbortSignal): Promise<void> {
    await this.#changed.waitUntil(signal, () => !this.isFull || this.#requested > 0);
  }

  /**
   * Forgets each delivery that is not in memory, and the later ones of its key: the consumer leaves, and the next one
   * receives them.
   */
  leave(): void {
    this.#hasLeft = true;
    for (const lane of this.#lanes.values()) {
      const entries = [...lane.entries.values()];
      const index = entries.findIndex(({ place }) => place !== "held");
      for (const entry of index < 0 ? [] : entries.slice(index)) {
        this.#count(lane, () => lane.delete(entry));
      }
      lane.arrival?.resolve();
    }
    this.#changed.notifyAll();
  }

  /** Waits until no delivery is left except those of blocked keys. */
  async waitUntilIdle(signal: AbortSignal): Promise<void> {
    await this.#changed.waitUntil(signal, () => this.#lanes.values().every(({ isBlocked }) => isBlocked));
  }

  /** Waits until no delivery is left. */
  async waitUntilEmpty(signal: AbortSignal): Promise<void> {
    await this.#changed.waitUntil(signal, () => this.#lanes.size === 0);
  }

  async #run(key: string, lane: Lane, work: WindowWork): Promise<void> {
    lane.isRunning = true;
    for (let entry = lane.first; entry !== undefined; entry = lane.first) {
      const current = entry;
      const { messageId, redeliveryCount } = current;
      await work({ key, messageId, redeliveryCount, load: (signal) => this.#load(signal, lane, current) });
      this.#remove(lane, current);
    }
    this.#lanes.delete(key);
    this.#evictable.delete(lane);
    this.#changed.notifyAll();
  }

  async #load(signal: AbortSignal, lane: Lane, entry: LaneEntry): Promise<Delivery> {
    lane.isWaiting = false;
    this.#evictable.delete(lane);
    if (entry.place !== "held" && !this.#hasLeft) {
      const arrival = Promise.withResolvers<void>();
      const arrive = (until: AbortSignal): Promise<void> => waitFor(until, arrival.promise);
      lane.arrival = arrival;
      this.#hungry.add(lane);
      this.#feed();
      try {
        await withinDeadline(signal, this.#clock, REDELIVERY_MS, arrive, () => {});
      } finally {
        this.#hungry.delete(lane);
        lane.arrival = undefined;
      }
    }
    if (entry.delivery === undefined) {
      throw new NotRedeliveredError(`the bus did not deliver a requested message within ${REDELIVERY_MS} ms`);
    }
    return entry.delivery;
  }

  /** Requests the first deliveries of the lanes that need them, while there is room. */
  #feed(): void {
    for (const lane of this.#hungry) {
      if (lane.first?.place === "deferred") {
        this.#request(lane);
        if (lane.first.place === "deferred") {
          return;
        }
      }
    }
  }

  /** Requests the next deliveries of a lane that are deferred, while there is room; of a blocked lane the first one. */
  #request(lane: Lane): void {
    for (const entry of lane.entries.values()) {
      if (entry.place === "deferred") {
        if (this.#hasLeft || !this.#hasRoom(lane)) {
          return;
        }
        this.#move(lane, entry, "requested");
        // It rejects only if the consumer has ended: then all its messages are given back.
        entry.redeliver().catch(() => {});
      }
      if (lane.isBlocked) {
        return;
      }
    }
  }

  #arrive(lane: Lane, entry: LaneEntry, delivery: Delivery): void {
    entry.redeliver = delivery.redeliver;
    if (entry.place === "requested") {
      if (lane.isBlocked && (entry !== lane.first || lane.isWaiting)) {
        this.#move(lane, entry, "deferred");
        this.#change();
      } else {
        this.#hold(lane, entry, delivery);
      }
    }
  }

  #hold(lane: Lane, entry: LaneEntry, delivery: Delivery): void {
    this.#move(lane, entry, "held");
    entry.delivery = delivery;
    this.#evict();
    if (entry === lane.first) {
      lane.arrival?.resolve();
    }
    this.#changed.notifyAll();
  }

  #remove(lane: Lane, entry: LaneEntry): void {
    this.#count(lane, () => lane.delete(entry));
    this.#feed();
    const { maxItemsPerKey, maxBytesPerKey } = this.#limits;
    const isHalfEmpty = lane.items * 2 <= maxItemsPerKey && lane.bytes * 2 <= maxBytesPerKey;
    if (lane.deferred > 0 && lane.requested === 0 && isHalfEmpty && !lane.isBlocked) {
      this.#request(lane);
    }
    this.#changed.notifyAll();
  }

  /** While the window is full, defers deliveries that only wait for their next attempt. */
  #evict(): void {
    for (const lane of this.#evictable) {
      if (!this.isFull) {
        return;
      }
      this.#evictable.delete(lane);
      this.#defer(lane, ...lane.entries.values());
    }
  }

  #defer(lane: Lane, ...entries: readonly LaneEntry[]): void {
    for (const entry of this.#canDefer ? entries : []) {
      if (entry.place === "held") {
        this.#move(lane, entry, "deferred");
        entry.delivery = undefined;
      }
    }
  }

  #hasRoom({ items, bytes }: Lane): boolean {
    return !this.isFull && items < this.#limits.maxItemsPerKey && bytes < this.#limits.maxBytesPerKey;
  }

  #move(lane: Lane, entry: LaneEntry, place: LaneEntry["place"]): void {
    this.#count(lane, () => lane.move(entry, place));
  }

  #count(lane: Lane, change: () => void): void {
    const { items, bytes, requested } = lane;
    change();
    this.#items += lane.items - items;
    this.#bytes += lane.bytes - bytes;
    this.#requested += lane.requested - requested;
  }

  #change(): void {
    this.#feed();
    this.#changed.notifyAll();
  }

  #sum(of: (lane: Lane) => number): number {
    return this.#lanes.values().reduce((sum, lane) => sum + of(lane), 0);
  }
}
