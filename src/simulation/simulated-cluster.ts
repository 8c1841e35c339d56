import { resourceTypeKey } from "../domain/resource-type.ts";
import type { Clock } from "../lib/clock.ts";
import { TerminalError } from "../lib/errors.ts";
import type { Random } from "../lib/random.ts";
import { withResourceVersion } from "./api/represent-object.ts";
import { Faults } from "./faults.ts";
import { MvccStore, type StoreEvent } from "./mvcc-store.ts";
import {
  BUILT_IN_RESOURCES,
  customResourceDefinitions,
  type ResourceKey,
  type ServedResource,
  toApiVersion,
  toCustomResources,
} from "./served-resources.ts";
import type { SimulatedMetadata, SimulatedObject } from "./simulated-object.ts";
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
  readonly store: MvccStore<SimulatedObject>;
  readonly #feed;
  readonly #lostRevisions = new Set<number>();

  constructor({ clock, random, maxWatchBacklog = 1000, firstRevision }: SimulatedClusterOptions) {
    this.store = new MvccStore(firstRevision);
    this.clock = clock;
    this.random = random;
    this.#feed = createWatchFeed({ maxItems: maxWatchBacklog });
  }

  /** What is served now: built-in kinds, and those of the definitions in the store. */
  resources(): readonly ServedResource[] {
    const definitions = this.store.list(customResourceDefinitions);
    return [...BUILT_IN_RESOURCES, ...definitions.flatMap(({ value }) => toCustomResources(value))];
  }

  /** The object, or `undefined`. `namespace` is empty for objects of cluster scope. */
  get(resourceKey: ResourceKey, namespace: string, name: string): SimulatedObject | undefined {
    const entry = this.store.get(resourceKey, toObjectKey(namespace, name));
    return entry === undefined ? undefined : withResourceVersion(entry);
  }

  /** Every object of a kind, in the order of lists. */
  list(resourceKey: ResourceKey): readonly SimulatedObject[] {
    return this.store.list(resourceKey).map(withResourceVersion);
  }

  /**
   * Stores a new object and returns it; its uid and creation time are given unless set. Throws `TerminalError` when
   * its key is taken or its kind is not served.
   */
  create(object: SimulatedObject): SimulatedObject {
    const resourceKey = this.#kindOf(object);
    const key = toObjectKey(object.metadata.namespace ?? "", object.metadata.name);
    if (this.store.get(resourceKey, key) !== undefined) {
      throw new TerminalError(`${resourceKey} ${key} exists already`);
    }
    const metadata: SimulatedMetadata = {
      uid: this.random.uuid(),
      creationTimestamp: toTimestamp(this.clock.now()),
      ...(object.spec === undefined ? {} : { generation: 1 }),
      ...object.metadata,
    };
    return this.#write(resourceKey, key, { ...object, metadata });
  }

  /**
   * Stores what `change` makes of the object and returns it; a changed `spec` counts as a new generation. Throws
   * `TerminalError` when there is no such object.
   */
  update(
    resourceKey: ResourceKey,
    namespace: string,
    name: string,
    change: (object: SimulatedObject) => SimulatedObject,
  ): SimulatedObject {
    const before = this.#existing(resourceKey, namespace, name);
    const after = change(before);
    const generation = before.metadata.generation;
    const metadata: SimulatedMetadata =
      generation === undefined || after.spec === before.spec
        ? after.metadata
        : { ...after.metadata, generation: generation + 1 };
    return this.#write(resourceKey, toObjectKey(namespace, name), { ...after, metadata });
  }

  /**
   * Removes the object and returns it as it was. With a CustomResourceDefinition go the objects of its kind, before
   * it. Throws `TerminalError` when there is no such object.
   */
  delete(resourceKey: ResourceKey, namespace: string, name: string): SimulatedObject {
    const object = this.#existing(resourceKey, namespace, name);
    if (resourceKey === customResourceDefinitions) {
      for (const custom of new Set(toCustomResources(object).map(resourceTypeKey))) {
        for (const { key } of this.store.list(custom)) {
          this.#publish(this.store.write(custom, key, undefined));
        }
      }
    }
    this.#publish(this.store.write(resourceKey, toObjectKey(namespace, name), undefined));
    return object;
  }

  /** Joins the writes of a kind from now on; those that are lost do not come. */
  subscribe(resourceKey: ResourceKey): FeedSubscription {
    return this.#feed.subscribe(resourceKey);
  }

  /** Writes of a kind after a revision, without those that are lost. Throws `CompactedError`. */
  eventsAfter(resourceKey: ResourceKey, revision: number): StoreEvent<SimulatedObject>[] {
    return this.store
      .eventsAfter(resourceKey, revision)
      .filter((event) => !this.#lostRevisions.has(event.revision));
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

  #existing(resourceKey: ResourceKey, namespace: string, name: string): SimulatedObject {
    const object = this.get(resourceKey, namespace, name);
    if (object === undefined) {
      throw new TerminalError(`there is no ${resourceKey} ${toObjectKey(namespace, name)}`);
    }
    return object;
  }

  #kindOf(object: SimulatedObject): ResourceKey {
    const served = this.resources().find(
      (candidate) => candidate.kind === object.kind && toApiVersion(candidate) === object.apiVersion,
    );
    if (served === undefined) {
      throw new TerminalError(`${object.apiVersion} ${object.kind} is not served`);
    }
    return resourceTypeKey(served);
  }

  #write(resourceKey: ResourceKey, key: string, object: SimulatedObject): SimulatedObject {
    const { resourceVersion: _stamped, ...metadata } = object.metadata;
    const event = this.store.write(resourceKey, key, { ...object, metadata });
    this.#publish(event);
    return withResourceVersion({ value: { ...object, metadata }, modRevision: event.revision });
  }

  #publish(event: StoreEvent<SimulatedObject>): void {
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
