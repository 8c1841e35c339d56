import { clusterKey } from "../../event/topics.ts";
import { Condition } from "../../lib/condition.ts";
import type { StandbyKey } from "../../store/session-store.ts";

/**
 * Lets the agents of a cluster open sessions one at a time. An agent that got no answer in time reconnects, while the
 * statement of its former stream may still wait for a lock. Without turns, such statements would soon hold all
 * connections.
 */
export class OpeningTurns {
  readonly #opening = new Set<string>();
  readonly #changed = new Condition();

  /** Runs `open` when no other one of the cluster runs. Rejects if `signal` aborts before. */
  async run<T>(
    signal: AbortSignal,
    { account, cluster }: Pick<StandbyKey, "account" | "cluster">,
    open: () => Promise<T>,
  ): Promise<T> {
    const key = clusterKey(account, cluster);
    signal.throwIfAborted();
    await this.#changed.waitUntil(signal, () => this.#claim(key));
    try {
      return await open();
    } finally {
      this.#opening.delete(key);
      this.#changed.notifyAll();
    }
  }

  /** Takes the turn if it is free: without an `await` between the test and the change, so that one waiter gets it. */
  #claim(key: string): boolean {
    const isFree = !this.#opening.has(key);
    this.#opening.add(key);
    return isFree;
  }
}
