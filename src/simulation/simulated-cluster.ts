import type { Clock } from "../lib/clock.ts";
import { TerminalError } from "../lib/errors.ts";
import type { Random } from "../lib/random.ts";
import { toKubeObject } from "./api/represent-object.ts";
import { Faults } from "./faults.ts";
import { MvccStore, type StoreEvent } from "./mvcc-store.ts";
import {
  builtInKinds,
  customResourceDefinitions,
  type KindKey,
  type ServedKind,
  toApiVersion,
  toCustomKinds,
  toKindKey,
} from "./served-resources.ts";
import type { KubeObject, ObjectMeta } from "./simulated-object.ts";
import { createWatchFeed, type FeedSubscription } from "./watch-feed.ts";

/** How to create a {@link SimulatedCluster}. */
export interface SimulatedClusterOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Events that a watch may be behind before it is cut off; 1000 unless set. */
  readonly maxWatchBacklog?: number;
  /** Revision of the empty store; 1 unless set. */
  readonly firstRevision?: number;
}

/** Objects in a {@link MvccStore}, written the way an API server does it, and what goes wrong with them. */
export class SimulatedCluster {
  readonly clock: Clock;
  readonly random: Random;
  readonly faults = new Faults();
  readonly store: MvccStore<KubeObject>;
  readonly #feed;
  readonly #lostRevisions = new Set<number>();

  constructor({ clock, random, maxWatchBacklog = 1000, firstRevision }: SimulatedClusterOptions) {
    this.store = new MvccStore(firstRevision);
    this.clock = clock;
    this.random = random;
    this.#feed = createWatchFeed({ maxItems: maxWatchBacklog });
  }

  /** What is served now: built-in kinds, and those of the definitions in the store. */
  kinds(): readonly ServedKind[] {
    const definitions = this.store.list(customResourceDefinitions);
    return [...builtInKinds, ...definitions.flatMap(({ value }) => toCustomKinds(value))];
  }

  /** The object, or `undefined`. `namespace` is empty for objects of cluster scope. */
  get(kind: KindKey, namespace: string, name: string): KubeObject | undefined {
    const entry = this.store.get(kind, toObjectKey(namespace, name));
    return entry === undefined ? undefined : toKubeObject(entry);
  }

  /** Every object of a kind, in the order of lists. */
  list(kind: KindKey): readonly KubeObject[] {
    return this.store.list(kind).map(toKubeObject);
  }

  /**
   * Stores a new object and returns it; its uid and creation time are given unless set. Throws `TerminalError` when
   * its key is taken or its kind is not served.
   */
  create(object: KubeObject): KubeObject {
    const kind = this.#kindOf(object);
    const key = toObjectKey(object.metadata.namespace ?? "", object.metadata.name);
    if (this.store.get(kind, key) !== undefined) {
      throw new TerminalError(`${kind} ${key} exists already`);
    }
    const metadata: ObjectMeta = {
      uid: this.random.uuid(),
      creationTimestamp: toTimestamp(this.clock.now()),
      ...(object.spec === undefined ? {} : { generation: 1 }),
      ...object.metadata,
    };
    return this.#write(kind, key, { ...object, metadata });
  }

  /**
   * Stores what `change` makes of the object and returns it; a changed `spec` counts as a new generation. Throws
   * `TerminalError` when there is no such object.
   */
  update(
    kind: KindKey,
    namespace: string,
    name: string,
    change: (object: KubeObject) => KubeObject,
  ): KubeObject {
    const before = this.#existing(kind, namespace, name);
    const after = change(before);
    const generation = before.metadata.generation;
    const metadata: ObjectMeta =
      generation === undefined || after.spec === before.spec
        ? after.metadata
        : { ...after.metadata, generation: generation + 1 };
    return this.#write(kind, toObjectKey(namespace, name), { ...after, metadata });
  }

  /**
   * Removes the object and returns it as it was. With a CustomResourceDefinition go the objects of its kind, before
   * it. Throws `TerminalError` when there is no such object.
   */
  delete(kind: KindKey, namespace: string, name: string): KubeObject {
    const object = this.#existing(kind, namespace, name);
    if (kind === customResourceDefinitions) {
      for (const custom of new Set(toCustomKinds(object).map(toKindKey))) {
        for (const { key } of this.store.list(custom)) {
          this.#publish(this.store.write(custom, key, undefined));
        }
      }
    }
    this.#publish(this.store.write(kind, toObjectKey(namespace, name), undefined));
    return object;
  }

  /** Joins the writes of a kind from now on; those that are lost do not come. */
  subscribe(kind: KindKey): FeedSubscription {
    return this.#feed.subscribe(kind);
  }

  /** Writes of a kind after a revision, without those that are lost. Throws `CompactedError`. */
  eventsAfter(kind: KindKey, revision: number): StoreEvent<KubeObject>[] {
    return this.store.eventsAfter(kind, revision).filter((event) => !this.#lostRevisions.has(event.revision));
  }

  /** Watches that are open. */
  get watches(): number {
    return this.#feed.watchers;
  }

  /** Forgets the past up to a revision, all of it unless given: older tokens and watches are answered with 410. */
  compact(revision?: number): void {
    this.store.compact(revision);
  }

  /** Goes back to a revision, as an etcd restored from a backup, and cuts off the watches. */
  restore(revision: number): void {
    this.store.restore(revision);
    for (const lost of this.#lostRevisions) {
      if (lost > revision) {
        this.#lostRevisions.delete(lost);
      }
    }
    this.breakWatches();
  }

  /** Breaks the connections of all watches, without a word. */
  breakWatches(): void {
    this.#feed.cutAll(new Error("the connection was broken"));
  }

  #existing(kind: KindKey, namespace: string, name: string): KubeObject {
    const object = this.get(kind, namespace, name);
    if (object === undefined) {
      throw new TerminalError(`there is no ${kind} ${toObjectKey(namespace, name)}`);
    }
    return object;
  }

  #kindOf(object: KubeObject): KindKey {
    const served = this.kinds().find(
      (candidate) => candidate.kind === object.kind && toApiVersion(candidate) === object.apiVersion,
    );
    if (served === undefined) {
      throw new TerminalError(`${object.apiVersion} ${object.kind} is not served`);
    }
    return toKindKey(served);
  }

  #write(kind: KindKey, key: string, object: KubeObject): KubeObject {
    const { resourceVersion: _stamped, ...metadata } = object.metadata;
    const event = this.store.write(kind, key, { ...object, metadata });
    this.#publish(event);
    return toKubeObject({ value: { ...object, metadata }, modRevision: event.revision });
  }

  #publish(event: StoreEvent<KubeObject>): void {
    if (this.faults.takeLoss(event.prefix)) {
      this.#lostRevisions.add(event.revision);
    } else {
      this.#feed.publish(event);
    }
  }
}

/** Key of an object in the store: what etcd has behind the kind. */
export function toObjectKey(namespace: string, name: string): string {
  return namespace === "" ? name : `${namespace}/${name}`;
}

/** A time as Kubernetes writes it: in seconds. */
export function toTimestamp(time: Date): string {
  return time.toISOString().replace(/\.\d+Z$/, "Z");
}
