import type { Clock } from "../../lib/clock.ts";

/** Most events at once, and events per second on average. */
export interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

/** Limits the rate of events: a bucket with room for `burst` tokens, which `perSecond` tokens fill. */
export class TokenBucket {
  readonly #clock: Clock;
  readonly #rate: Rate;
  #tokens: number;
  #filledAt: number;

  constructor(clock: Clock, rate: Rate) {
    this.#clock = clock;
    this.#rate = rate;
    this.#tokens = rate.burst;
    this.#filledAt = clock.monotonic();
  }

  /** Takes a token and returns 0; if there is none, returns the time until the next one, in milliseconds. */
  take(): number {
    const { burst, perSecond } = this.#rate;
    const now = this.#clock.monotonic();
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#filledAt) / 1000) * perSecond);
    this.#filledAt = now;
    if (this.#tokens < 1) {
      return Math.ceil(((1 - this.#tokens) / perSecond) * 1000);
    }
    this.#tokens--;
    return 0;
  }
}
