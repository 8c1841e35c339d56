/** Limits of the messages of one consumer. */
export interface PermitLimits {
  /** Maximum messages that arrived and were not yielded. */
  readonly maxPrefetched: number;
  /** Maximum messages that arrived and were not acknowledged, yielded or not. */
  readonly maxUnacknowledged: number;
}

/**
 * Counts the permits of one consumer. Each permit is for one message, and a message counts from its permit to
 * its acknowledgement.
 */
export class Permits {
  readonly #limits: PermitLimits;
  #granted = 0;
  #arrived = 0;
  #handedOut = 0;

  constructor(limits: PermitLimits) {
    this.#limits = limits;
  }

  /**
   * Returns the number of permits to send to the broker now. Permits are collected until they are worth a
   * frame, except if the consumer has neither a prefetched message nor a permit.
   */
  take(): number {
    const { maxPrefetched, maxUnacknowledged } = this.#limits;
    const ahead = this.#granted + this.#arrived;
    const room = Math.min(maxPrefetched - ahead, maxUnacknowledged - ahead - this.#handedOut);
    const worthAFrame = ahead === 0 ? 1 : Math.ceil(Math.min(maxPrefetched, maxUnacknowledged) / 2);
    if (room < worthAFrame) {
      return 0;
    }
    this.#granted += room;
    return room;
  }

  /** Counts a message that arrived. */
  arrive(): void {
    this.#granted -= 1;
    this.#arrived += 1;
  }

  /** Counts a message that was yielded. */
  handOut(): void {
    this.#arrived -= 1;
    this.#handedOut += 1;
  }

  /** Counts the acknowledgement of a yielded message. */
  acknowledge(): void {
    this.#handedOut -= 1;
  }

  /** Counts a repeated arrival of a message that is not acknowledged. */
  ignore(): void {
    this.#granted -= 1;
  }
}
