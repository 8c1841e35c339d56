import type { Delivery } from "../bus/bus.ts";

/** A delivery of a lane, in memory or left with the bus. */
export interface LaneEntry {
  readonly messageId: string;
  /** Memory that it takes while it is processed, in bytes. */
  readonly bytes: number;
  /** Number of deliveries before the first one to this consumer. */
  readonly redeliveryCount: number;
  /**
   * `held`: in memory. `deferred`: unacknowledged, but not in memory. `requested`: given back to the bus, which will
   * deliver it again; memory is reserved for it.
   */
  place: "held" | "deferred" | "requested";
  /** The latest delivery while it is held. */
  delivery: Delivery | undefined;
  /** Gives the message back to the bus, while it is deferred. */
  redeliver: () => Promise<void>;
}

/**
 * The unprocessed deliveries of one key, in their order. Those in memory and those requested are the first ones: a
 * later one would take room that the earlier ones need to be processed.
 */
export class Lane {
  /** By the message's id, in the order of arrival. */
  readonly entries = new Map<string, LaneEntry>();
  /** Entries that are held or requested, and their bytes. */
  items = 0;
  bytes = 0;
  /** Entries that are deferred. */
  deferred = 0;
  requested = 0;
  /** True while its entries are processed, one after the other. */
  isRunning = false;
  /** True from a failed attempt to process the first entry until one succeeds. */
  isBlocked = false;
  /** True while the first entry waits for its next attempt, so that its payload is not in use. */
  isWaiting = false;
  /** Resolves when the first entry is held or was removed; set while its work waits for it. */
  arrival: PromiseWithResolvers<void> | undefined;

  get first(): LaneEntry | undefined {
    return this.entries.values().next().value;
  }

  /** Counts an entry in its new place. */
  move(entry: LaneEntry, place: LaneEntry["place"]): void {
    this.#count(entry, -1);
    entry.place = place;
    this.#count(entry, 1);
  }

  add(entry: LaneEntry): void {
    this.entries.set(entry.messageId, entry);
    this.#count(entry, 1);
  }

  delete(entry: LaneEntry): void {
    if (this.entries.delete(entry.messageId)) {
      this.#count(entry, -1);
    }
  }

  #count({ place, bytes }: LaneEntry, change: 1 | -1): void {
    this.deferred += place === "deferred" ? change : 0;
    this.requested += place === "requested" ? change : 0;
    this.items += place === "deferred" ? 0 : change;
    this.bytes += place === "deferred" ? 0 : change * bytes;
  }
}
