/** Limits of the messages of one consumer. */
export interface PermitLimits {
  /** Maximum messages that arrived and were not yielded. */
  readonly maxPrefetched: number;
  /** Maximum messages that arrived and were not acknowledged, yielded or not. */
  readonly maxUnacknowledged: number;
}

/** Time without a message after which a consumer asks for one message at a time again, in milliseconds. */
export const QUIET_MS = 1_000;

/**
 * Counts the permits of one consumer. Each permit is for one message, and a message counts from its permit to
 * its acknowledgement.
 *
 * A consumer that receives little keeps one permit. Each time it uses all its permits while messages arrive quickly,
 * it doubles them, up to the limit. The reason is a connection that fails silently: each message that the broker
 * writes to it restarts the broker's idle timeout. Unused permits would keep a consumer that no longer exists, and
 * the messages of its keys with it.
 */
export class Permits {
  readonly #limits: PermitLimits;
  /** Messages to ask for and to hold; doubles with demand. */
  #window = 1;
  #lastArrivalMs = Number.NEGATIVE_INFINITY;
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
    const { maxUnacknowledged } = this.#limits;
    const ahead = this.#granted + this.#arrived;
    const room = Math.min(this.#window - ahead, maxUnacknowledged - ahead - this.#handedOut);
    const worthAFrame = ahead === 0 ? 1 : Math.ceil(Math.min(this.#window, maxUnacknowledged) / 2);
    if (room < worthAFrame) {
      return 0;
    }
    this.#granted += room;
    return room;
  }

  /** Counts a message that arrived at this monotonic time in milliseconds. */
  arrive(nowMs: number): void {
    this.#granted -= 1;
    this.#arrived += 1;
    if (nowMs - this.#lastArrivalMs > QUIET_MS) {
      this.#window = 1;
    } else if (this.#granted <= 0) {
      this.#window = Math.min(this.#window * 2, this.#limits.maxPrefetched);
    }
    this.#lastArrivalMs = nowMs;
  }

  /** Counts a message that was yielded. */
  handOut(): void {
    this.#arrived -= 1;
    this.#handedOut += 1;
  }

  /** Counts a yielded message that was acknowledged or given back. */
  acknowledge(): void {
    this.#handedOut -= 1;
  }

  /** Counts a repeated arrival of a message that is not acknowledged. */
  ignore(): void {
    this.#granted -= 1;
  }
}
