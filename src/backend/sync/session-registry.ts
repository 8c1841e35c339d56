import { clusterKey } from "../../event/topics.ts";
import { ConflictError } from "../../lib/errors.ts";
import type { SessionKey } from "../../store/session-store.ts";
import type { Session } from "./session.ts";

/** The sessions that this backend holds: one per cluster, the one with the highest epoch. */
export class SessionRegistry {
  readonly #sessions = new Map<string, Session>();

  /** Adds a session; an older one of the same cluster ends, and so does this one if it is itself the older. */
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

  /** Removes a session that has ended; a newer one of the same cluster stays. */
  remove(session: Session): void {
    const key = clusterKey(session.identity.account, session.identity.cluster);
    if (this.#sessions.get(key) === session) {
      this.#sessions.delete(key);
    }
  }

  /** The session, if this backend holds it. */
  find({ account, cluster, epoch }: SessionKey): Session | undefined {
    const session = this.#sessions.get(clusterKey(account, cluster));
    return session?.identity.epoch === epoch ? session : undefined;
  }

  /** Ends a session that another backend's has replaced. */
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
    `a newer session of cluster "${identity.cluster}" has taken the place of epoch ${identity.epoch}`,
    { info: { reason: "SESSION_REPLACED" } },
  );
}
