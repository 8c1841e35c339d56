import { Condition } from "../../lib/condition.ts";
import type { Consumer, Delivery, OutgoingMessage } from "../bus.ts";

interface Entry {
  readonly stored: StoredMessage;
  deliveries: number;
  /** True while its consumer has given it back: it stays the owner of the key, as in Pulsar. */
  isGivenBack: boolean;
}

/**
 * One subscription of a topic. Messages of one key go to one consumer at a time, in their order. When a
 * consumer leaves or is cut off, its unacknowledged messages return to their places, in front of the messages
 * that followed them.
 */
export class MemorySubscription {
  readonly #release: (stored: StoredMessage) => void;
  readonly #members = new Set<Member>();
  /** For each key, the member that has its unacknowledged messages or gave them back, and their number. */
  readonly #owners = new Map<string, { readonly member: Member; count: number }>();
  #waiting: Entry[] = [];
  readonly #changed = new Condition();
  #closed = false;

  constructor(release: (stored: StoredMessage) => void) {
    this.#release = release;
  }

  add(stored: StoredMessage): void {
    this.#waiting.push({ stored, deliveries: 0, isGivenBack: false });
    this.#changed.notifyAll();
  }

  join(maxUnacknowledged: number): Consumer {
    const member = new Member(maxUnacknowledged);
    this.#members.add(member);
    return {
      deliveries: (signal) => this.#deliver(signal, member),
      close: async () => this.#leave(member),
    };
  }

  /** Ends every member's deliveries with the error. */
  cutOff(error: Error): void {
    for (const member of [...this.#members]) {
      member.error = error;
      this.#leave(member);
    }
  }

  close(): void {
    this.#closed = true;
    this.#changed.notifyAll();
  }

  async *#deliver(signal: AbortSignal, member: Member): AsyncGenerator<Delivery, void, undefined> {
    for (;;) {
      signal.throwIfAborted();
      if (member.error !== undefined) {
        throw member.error;
      }
      if (this.#closed || !this.#members.has(member)) {
        return;
      }
      const entry = this.#takeFor(member);
      if (entry === undefined) {
        await this.#changed.wait(signal);
        continue;
      }
      yield this.#toDelivery(member, entry);
    }
  }

  #takeFor(member: Member): Entry | undefined {
    if (member.unacknowledged.size >= member.maxUnacknowledged) {
      return undefined;
    }
    const index = this.#waiting.findIndex(({ stored }) => {
      const owner = this.#owners.get(stored.message.key)?.member;
      return owner === undefined || owner === member;
    });
    if (index < 0) {
      return undefined;
    }
    const [entry] = this.#waiting.splice(index, 1);
    if (entry !== undefined) {
      entry.deliveries += 1;
      member.unacknowledged.add(entry);
      const { key } = entry.stored.message;
      const count = (this.#owners.get(key)?.count ?? 0) + (entry.isGivenBack ? 0 : 1);
      this.#owners.set(key, { member, count });
      entry.isGivenBack = false;
    }
    return entry;
  }

  #toDelivery(member: Member, entry: Entry): Delivery {
    const { messageId, message } = entry.stored;
    return {
      key: message.key,
      payload: message.payload,
      properties: message.properties ?? {},
      redeliveryCount: entry.deliveries - 1,
      messageId: String(messageId),
      acknowledge: async () => {
        // The acknowledgement of a member that was cut off is lost with its connection.
        if (member.unacknowledged.delete(entry)) {
          this.#disown(entry.stored.message.key);
          this.#release(entry.stored);
          this.#changed.notifyAll();
        }
      },
      redeliver: async () => {
        if (member.unacknowledged.delete(entry)) {
          entry.isGivenBack = true;
          this.#return([entry]);
        }
      },
    };
  }

  /** Returns messages to their places. */
  #return(entries: Iterable<Entry>): void {
    this.#waiting = [...entries, ...this.#waiting].sort((a, b) => a.stored.messageId - b.stored.messageId);
    this.#changed.notifyAll();
  }

  #leave(member: Member): void {
    if (!this.#members.delete(member)) {
      return;
    }
    for (const [key, owner] of this.#owners) {
      if (owner.member === member) {
        this.#owners.delete(key);
        for (const entry of this.#waiting.filter(({ stored }) => stored.message.key === key)) {
          entry.isGivenBack = false;
        }
      }
    }
    this.#return(member.unacknowledged);
    member.unacknowledged.clear();
  }

  #disown(key: string): void {
    const owner = this.#owners.get(key);
    if (owner !== undefined && --owner.count === 0) {
      this.#owners.delete(key);
    }
  }
}

class Member {
  readonly maxUnacknowledged: number;
  readonly unacknowledged = new Set<Entry>();
  error: Error | undefined;

  constructor(maxUnacknowledged: number) {
    this.maxUnacknowledged = maxUnacknowledged;
  }
}

/** A message that a topic of the memory bus stores. */
export interface StoredMessage {
  /** Position in the topic, from 1. */
  readonly messageId: number;
  readonly message: OutgoingMessage;
  /** Resolves when every subscription has acknowledged the message. */
  readonly released: PromiseWithResolvers<void>;
}
