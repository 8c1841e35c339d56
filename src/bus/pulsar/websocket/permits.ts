/** Bounds of what one consumer may have. */
export interface PermitLimits {
  /** Most messages here that were not handed out yet. */
  readonly maxPrefetched: number;
  /** Most messages here that were not acknowledged yet, handed out or not. */
  readonly maxUnacknowledged: number;
}

/**
 * Counts how many more messages the broker may send to one consumer. Each permit is for one message; a message holds
 * its place from the permit to the acknowledgement.
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
   * Permits to send to the broker now, if any. A few are saved up for one frame, as long as some are out that keep
   * messages coming.
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

  /** A message has come. */
  arrive(): void {
    this.#granted -= 1;
    this.#arrived += 1;
  }

  /** One that has come is handed out. */
  handOut(): void {
    this.#arrived -= 1;
    this.#handedOut += 1;
  }

  /** One that was handed out is acknowledged. */
  acknowledge(): void {
    this.#handedOut -= 1;
  }

  /** A message has come that is here already. */
  ignore(): void {
    this.#granted -= 1;
  }
}
