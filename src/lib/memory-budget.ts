import { waitFor } from "./abort.ts";

/** An account may hold this many times the free memory: three quarters of a budget that no other one uses. */
const ACCOUNT_FACTOR = 3;

/** An account's part of a {@link MemoryBudget}, in bytes. */
export interface AccountMemory {
  /** Bytes that the account may still take. Shrinks as the budget fills, and is not negative. */
  readonly room: number;
  /** Takes the bytes as soon as the account has room for them, in the order of the account's calls. */
  take(signal: AbortSignal, bytes: number): Promise<void>;
  /** Takes the bytes at once, also without room: for what replaces a larger amount that is released next. */
  hold(bytes: number): void;
  /** Gives back bytes that were taken or held. */
  release(bytes: number): void;
}

interface Account {
  readonly name: string;
  bytes: number;
  readonly waiting: Set<Wait>;
}

interface Wait {
  readonly bytes: number;
  readonly grant: () => void;
}

/**
 * Memory that a process holds for its callers, in bytes. An account may hold at most three times the memory that is
 * then free, so the accounts that hold much leave room for the next one: dynamic thresholds, by which switches share
 * their buffers (Choudhury and Hahne, IEEE/ACM Transactions on Networking, 1998).
 *
 * An account that holds nothing may take all that is free, and anything from an empty budget, so that one large message
 * is late and not stuck.
 */
export class MemoryBudget {
  readonly limit: number;
  #bytes = 0;
  /** Accounts that hold or wait. */
  readonly #accounts = new Map<string, Account>();
  /** Accounts that wait, the first one first. */
  readonly #waiting = new Set<Account>();
  #isGranting = false;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** Bytes that all accounts hold. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Returns what an account holds. */
  of(name: string): AccountMemory {
    const roomOf = (): number => this.#roomOf(this.#accounts.get(name)?.bytes ?? 0);
    return {
      get room() {
        return roomOf();
      },
      take: (signal, bytes) => this.#take(signal, name, bytes),
      hold: (bytes) => this.#add(this.#account(name), bytes),
      release: (bytes) => {
        this.#add(this.#account(name), -bytes);
        this.#grantSoon();
      },
    };
  }

  async #take(signal: AbortSignal, name: string, bytes: number): Promise<void> {
    signal.throwIfAborted();
    const account = this.#account(name);
    if (this.#waiting.size === 0 && this.#fits(account, bytes)) {
      this.#add(account, bytes);
      return;
    }
    const granted = Promise.withResolvers<void>();
    const wait: Wait = { bytes, grant: granted.resolve };
    account.waiting.add(wait);
    this.#waiting.add(account);
    this.#grantSoon();
    try {
      await waitFor(signal, granted.promise);
    } catch (error) {
      // The bytes may have been granted in the moment of the abort.
      if (!this.#remove(account, wait)) {
        this.#add(account, -bytes);
      }
      this.#grantSoon();
      throw error;
    }
  }

  #account(name: string): Account {
    const account = this.#accounts.get(name) ?? { name, bytes: 0, waiting: new Set() };
    this.#accounts.set(name, account);
    return account;
  }

  #add(account: Account, bytes: number): void {
    account.bytes += bytes;
    this.#bytes += bytes;
    this.#forgetIfEmpty(account);
  }

  #remove(account: Account, wait: Wait): boolean {
    const isRemoved = account.waiting.delete(wait);
    if (account.waiting.size === 0) {
      this.#waiting.delete(account);
      this.#forgetIfEmpty(account);
    }
    return isRemoved;
  }

  #forgetIfEmpty(account: Account): void {
    if (account.bytes === 0 && account.waiting.size === 0) {
      this.#accounts.delete(account.name);
    }
  }

  /** Returns the room of an account that holds `bytes`. Bytes x fit if bytes + x <= factor * (free - x). */
  #roomOf(bytes: number): number {
    const free = this.limit - this.#bytes;
    return Math.max(0, Math.floor((ACCOUNT_FACTOR * free - bytes) / (ACCOUNT_FACTOR + 1)));
  }

  #fits(account: Account, bytes: number): boolean {
    const free = this.limit - this.#bytes;
    return this.#bytes === 0 || bytes <= (account.bytes === 0 ? free : this.#roomOf(account.bytes));
  }

  /** Grants what fits after the current turn: one pass for all that it releases. */
  #grantSoon(): void {
    if (!this.#isGranting && this.#waiting.size > 0) {
      this.#isGranting = true;
      queueMicrotask(() => {
        this.#isGranting = false;
        this.#grant();
      });
    }
  }

  #grant(): void {
    for (const account of this.#waiting) {
      for (const wait of account.waiting) {
        if (!this.#fits(account, wait.bytes)) {
          if (account.bytes === 0) {
            // Accounts behind this one would take what is released, and it would wait for as long as they do.
            return;
          }
          break;
        }
        this.#add(account, wait.bytes);
        this.#remove(account, wait);
        wait.grant();
      }
    }
  }
}
