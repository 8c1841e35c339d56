import type { Clock } from "../lib/clock.ts";

/** How much of a message its dead letter keeps. */
export type Kept = "message" | "description" | "nothing";

/** Limits of an account in the dead-letter topic. */
export interface DeadLetterLimits {
  /** Bytes of payloads that it may add at once, and each day. */
  readonly maxBytes: number;
  readonly bytesPerDay: number;
  /** Dead letters that it may add at once, and each day. */
  readonly maxLetters: number;
  readonly lettersPerDay: number;
}

/**
 * At most 100 MiB of an account in the 30 days that the topic keeps dead letters, with 2 KiB of properties each: the 4
 * GiB of the topic suffice for 40 accounts that fail all the time with one ingester, or 10 with four.
 */
export const DEAD_LETTER_LIMITS: DeadLetterLimits = {
  maxBytes: 8 * 1024 * 1024,
  bytesPerDay: 1024 * 1024,
  maxLetters: 1_000,
  lettersPerDay: 1_000,
};

const DAY_MS = 24 * 60 * 60 * 1000;

/** Most accounts that are counted separately. The others share one budget. */
const MAX_ACCOUNTS = 10_000;

interface Balance {
  bytes: number;
  letters: number;
  atMs: number;
}

/**
 * The budgets of dead letters by account, so that the dead letters of one account leave room for those of others. Each
 * ingester has its own, in memory: an account can spend it again after a restart.
 */
export class DeadLetterBudget {
  readonly #clock: Clock;
  readonly #limits: DeadLetterLimits;
  readonly #balances = new Map<string, Balance>();

  constructor(clock: Clock, limits: DeadLetterLimits = DEAD_LETTER_LIMITS) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** Decides how much of a message its dead letter keeps, and counts it. */
  spend(account: string, bytes: number): Kept {
    const balance = this.#balanceOf(account);
    if (balance.letters < 1) {
      return "nothing";
    }
    balance.letters -= 1;
    if (balance.bytes < bytes) {
      return "description";
    }
    balance.bytes -= bytes;
    return "message";
  }

  #balanceOf(account: string): Balance {
    const { maxBytes, bytesPerDay, maxLetters, lettersPerDay } = this.#limits;
    const now = this.#clock.monotonic();
    const name = this.#balances.has(account) || this.#hasRoom() ? account : "";
    const known = this.#balances.get(name) ?? { bytes: maxBytes, letters: maxLetters, atMs: now };
    const days = (now - known.atMs) / DAY_MS;
    const balance = {
      bytes: Math.min(maxBytes, known.bytes + days * bytesPerDay),
      letters: Math.min(maxLetters, known.letters + days * lettersPerDay),
      atMs: now,
    };
    this.#balances.set(name, balance);
    return balance;
  }

  #hasRoom(): boolean {
    return this.#balances.size < MAX_ACCOUNTS;
  }
}
