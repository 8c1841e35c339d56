import { clusterKey } from "../../event/topics.ts";
import { Condition } from "../../lib/condition.ts";
import { ConflictError, RetryableError } from "../../lib/errors.ts";
import type { StandbyAgent, StandbyKey } from "../../store/session-store.ts";

/** The event that a standby waits for: its cluster has no session, or the backend stops. */
export type StandbyEvent =
  | { readonly type: "vacant" }
  | { readonly type: "drain"; readonly retryAfterMs: number };

/** A parked stream: an agent that waits for the session of its cluster. */
export class Standby {
  readonly agent: StandbyAgent;
  readonly #changed = new Condition();
  #event: StandbyEvent | undefined;
  #end: Error | undefined;

  constructor(agent: StandbyAgent) {
    this.agent = agent;
  }

  /** Reports that the cluster has no living session. */
  wake(): void {
    this.#event ??= { type: "vacant" };
    this.#changed.notifyAll();
  }

  /** Requests that the agent reconnects after a delay. */
  drain(retryAfterMs: number): void {
    this.#event = { type: "drain", retryAfterMs };
    this.#changed.notifyAll();
  }

  /** Ends {@link next}, which throws the error. */
  end(error: Error): void {
    this.#end = error;
    this.#changed.notifyAll();
  }

  /** Waits for the next event. */
  async next(signal: AbortSignal): Promise<StandbyEvent> {
    await this.#changed.waitUntil(signal, () => this.#event !== undefined || this.#end !== undefined);
    if (this.#end !== undefined) {
      throw this.#end;
    }
    const event = this.#event ?? { type: "vacant" };
    this.#event = undefined;
    return event;
  }
}

/** Most standbys of one cluster at one backend. Each costs a stream and a row. */
const MAX_PER_CLUSTER = 8;

/** Delay after which an agent beyond the limit asks again, in milliseconds. */
const RETRY_MS = 30_000;

/** The standbys that are connected to this backend. */
export class StandbyRegistry {
  readonly #standbys = new Set<Standby>();

  /**
   * Adds a standby. An older stream of the same process ends.
   *
   * @throws RetryableError if the cluster has too many
   */
  add(agent: StandbyAgent): Standby {
    for (const older of this.#standbys) {
      if (isSame(older.agent, agent)) {
        this.#standbys.delete(older);
        older.end(
          new ConflictError(
            `standby of cluster "${agent.cluster}": replaced by a newer stream of the same agent`,
            {
              info: { reason: "SESSION_REPLACED" },
            },
          ),
        );
      }
    }
    const key = clusterKey(agent.account, agent.cluster);
    const count = this.list().filter(
      (each) => clusterKey(each.agent.account, each.agent.cluster) === key,
    ).length;
    if (count >= MAX_PER_CLUSTER) {
      throw new RetryableError(
        `cluster "${agent.cluster}": expected at most ${MAX_PER_CLUSTER} standbys, found one more; stop surplus agents`,
        { retryAfterMs: RETRY_MS },
      );
    }
    const standby = new Standby(agent);
    this.#standbys.add(standby);
    return standby;
  }

  /** Removes a standby whose stream has ended or got the session. */
  remove(standby: Standby): void {
    this.#standbys.delete(standby);
  }

  /** Wakes the standbys of this agent. */
  wake(key: StandbyKey): void {
    for (const standby of this.#standbys) {
      if (isSame(standby.agent, key)) {
        standby.wake();
      }
    }
  }

  list(): Standby[] {
    return [...this.#standbys];
  }
}

function isSame(one: StandbyKey, other: StandbyKey): boolean {
  return (
    one.account === other.account && one.cluster === other.cluster && one.instanceId === other.instanceId
  );
}
