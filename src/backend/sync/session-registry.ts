import { clusterKey } from "../../event/topics.ts";
import { ConflictError } from "../../lib/errors.ts";
import type { SessionKey } from "../../store/session-store.ts";
import type { Session } from "./session.ts";

/** The sessions that this backend owns: for each cluster the one with the highest epoch. */
export class SessionRegistry {
  readonly #sessions = new Map<string, Session>();

  /** Adds a session. Of two sessions of one cluster, the one with the lower epoch ends. */
  add(session: Session): void {
    const key = clusterKey(session.identity.account, session.identity.cluster);
    const existing = this.#sessions.get(key);
    if (existing !== undefined && existing.identity.epoch > session.identity.epoch) {
      session.end(replaced(session));
      return;
    }
    existing?.end(replaced(existing));
    this.#sessions.set(key, session);
  }

  /** Removes a session that has ended. A newer session of the same cluster stays. */
  remove(session: Session): void {
    const key = clusterKey(session.identity.account, session.identity.cluster);
    if (this.#sessions.get(key) === session) {
      this.#sessions.delete(key);
    }
  }

  /** Returns the session if this backend owns it. */
  find({ account, cluster, epoch }: SessionKey): Session | undefined {
    const session = this.#sessions.get(clusterKey(account, cluster));
    return session?.identity.epoch === epoch ? session : undefined;
  }

  /** Ends a session that a session at another backend has replaced. */
  endReplaced(key: SessionKey): void {
    const session = this.find(key);
    session?.end(replaced(session));
  }

  list(): Session[] {
    return [...this.#sessions.values()];
  }
}

function replaced({ identity }: Session): ConflictError {
  return new ConflictError(
    `session of cluster "${identity.cluster}": epoch ${identity.epoch} was replaced by a newer session`,
    { info: { reason: "SESSION_REPLACED" } },
  );
}
