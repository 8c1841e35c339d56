import { hash } from "node:crypto";
import { resourceTypeKey } from "../../src/domain/resource-type.ts";
import type { StoreEvent } from "../../src/simulation/mvcc-store.ts";
import type { SimulatedCluster } from "../../src/simulation/simulated-cluster.ts";
import type { SimulatedObject } from "../../src/simulation/simulated-object.ts";
import type { VirtualTime } from "./virtual-time.ts";

/**
 * Identifies a state of an object, as its row shows it: its uid, the mark of its last write, and that mark once more as
 * a part of its content. A row without content shows the uid only.
 */
export type ObjectState = string;

/** A change of the truth: an object was written, or is gone. */
export interface TruthEvent {
  readonly at: number;
  readonly resource: string;
  readonly key: string;
  /** Undefined: gone. */
  readonly state: ObjectState | undefined;
}

/** Annotation with the mark of the last write of an object: account, cluster, and the number of the write. */
export const WRITE_ANNOTATION = "simulation/write";

/** Records what the API server of one cluster had, and when. */
export class Truth {
  readonly events: TruthEvent[] = [];
  readonly #time: VirtualTime;
  #current = new Map<string, ObjectState>();

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  /** Records one write. */
  readonly write = ({ prefix, key, value }: StoreEvent<SimulatedObject>): void => {
    this.#set(
      `${prefix} ${key.includes("/") ? key : `/${key}`}`,
      value === undefined ? undefined : toState(value),
    );
  };

  /** Compares a restored cluster with its last recorded state, and records the differences. */
  restore(cluster: SimulatedCluster): void {
    const restored = new Map<string, ObjectState | undefined>();
    for (const resource of new Set(cluster.resources().map(resourceTypeKey))) {
      for (const object of cluster.list(resource)) {
        restored.set(
          `${resource} ${object.metadata.namespace ?? ""}/${object.metadata.name}`,
          toState(object),
        );
      }
    }
    for (const name of [...this.#current.keys()].filter((known) => !restored.has(known))) {
      this.#set(name, undefined);
    }
    for (const [name, state] of restored) {
      this.#set(name, state);
    }
  }

  /** Returns the states of the objects of a resource type that exist now, by key. */
  objectsOf(resource: string): Map<string, ObjectState> {
    const own = [...this.#current].filter(([name]) => name.startsWith(`${resource} `));
    return new Map(own.map(([name, state]) => [name.slice(resource.length + 1), state]));
  }

  #set(name: string, state: ObjectState | undefined): void {
    if (this.#current.get(name) === state) {
      return;
    }
    if (state === undefined) {
      this.#current.delete(name);
    } else {
      this.#current.set(name, state);
    }
    const [resource = "", key = ""] = name.split(" ");
    this.events.push({ at: this.#time.elapsedMs, resource, key, state });
  }
}

/** Longest name of a row, and longest uid, of the contract. */
const MAX_NAME_BYTES = 1_024;
const MAX_UID_LENGTH = 128;

/** Returns the state that the row of an object must have; undefined if no row can have its key. */
function toState(object: SimulatedObject): ObjectState | undefined {
  const { name, uid = "", annotations } = object.metadata;
  if (Buffer.byteLength(name) > MAX_NAME_BYTES || name.includes("\0")) {
    return undefined;
  }
  if (uid.length > MAX_UID_LENGTH) {
    return `sha256:${hash("sha256", JSON.stringify(uid), "hex")} `;
  }
  // No text of Postgres has these.
  const hasContent = !/\\u(0000|d[89a-f])/.test(JSON.stringify(object));
  const { write } = (object.spec ?? {}) as { readonly write?: string };
  return hasContent
    ? `${uid} ${annotations?.[WRITE_ANNOTATION] ?? ""}${write === undefined ? "" : ` ${write}`}`
    : `${uid} `;
}
