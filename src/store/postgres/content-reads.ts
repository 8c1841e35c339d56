import { Places } from "../../lib/places.ts";

/** Reads of contents at a time, in the process and of an account. Each takes up to 50 MiB while it is converted. */
const READS = 4;
const READS_OF_ACCOUNT = 2;

/** Limits the reads of contents, so that a process holds few of them at a time, and no account delays others. */
export class ContentReads {
  readonly #process = new Places(READS);
  /** By account. Tokens prove accounts, so their number is bounded. */
  readonly #accounts = new Map<string, Places>();

  /** Waits for a place. Dispose of it at the end of the read. */
  async begin(signal: AbortSignal, account: string): Promise<Disposable> {
    const places = this.#accounts.get(account) ?? new Places(READS_OF_ACCOUNT);
    this.#accounts.set(account, places);
    using stack = new DisposableStack();
    stack.use(await places.take(signal));
    stack.use(await this.#process.take(signal));
    return stack.move();
  }
}
