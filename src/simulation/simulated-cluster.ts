import { resourceTypeKey } from "../domain/resource-type.ts";
import type { Clock } from "../lib/clock.ts";
import { TerminalError } from "../lib/errors.ts";
import type { Random } from "../lib/random.ts";
import { withResourceVersion } from "./api/representation.ts";
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

export interface SimulatedClusterOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Highest number of unread events of a watch before it is closed; default 1000. */
  readonly maxWatchBacklog?: number;
  /** Revision of the empty store; default 1. */
  readonly firstRevision?: number;
  /** Receives every write, also those whose event no watch gets. */
  readonly onWrite?: (event: StoreEvent<SimulatedObject>) => void;
}

/** Objects in a {@link MvccStore}, with the write semantics of an API server, and faults. */
export class SimulatedCluster {
  readonly clock: Clock;
  readonly random: Random;
  readonly faults = new Faults();
  readonly store: MvccStore<SimulatedObject>;
  readonly #feed;
  readonly #lostRevisions = new Set<number>();
  readonly #onWrite: (event: StoreEvent<SimulatedObject>) => void;

  constructor(options: SimulatedClusterOptions) {
    const { clock, random, maxWatchBacklog = 1000, firstRevision, onWrite = () => {} } = options;
    this.store = new MvccStore(firstRevision);
    this.clock = clock;
    this.#onWrite = onWrite;
    this.random = random;
    this.#feed = createWatchFeed({ maxItems: maxWatchBacklog });
  }

  /** Returns the served resource types: built-in ones, and those of the definitions in the store. */
  resources(): readonly ServedResource[] {
    const definitions = this.store.list(customResourceDefinitions);
    return [...BUILT_IN_RESOURCES, ...definitions.flatMap(({ value }) => toCustomResources(value))];
  }

  /** Returns the object, or undefined. `namespace` is empty for cluster-scoped objects. */
  get(resourceKey: ResourceKey, namespace: string, name: string): SimulatedObject | undefined {
    const entry = this.store.get(resourceKey, toObjectKey(namespace, name));
    return entry === undefined ? undefined : withResourceVersion(entry);
  }

  /** Returns all objects of a resource type, in the order of lists. */
  list(resourceKey: ResourceKey): readonly SimulatedObject[] {
    return this.store.list(resourceKey).map(withResourceVersion);
  }

  /**
   * Stores a new object and returns it. Assigns uid and creation time unless they are set.
   *
   * @throws TerminalError if its key is in use or its resource type is not served
   */
  create(object: SimulatedObject): SimulatedObject {
    const resourceKey = this.#resourceKeyOf(object);
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
   * Stores the result of `change` and returns it. A changed `spec` increases the generation.
   *
   * @throws TerminalError if there is no such object
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
   * Deletes the object and returns its last state. Before a CustomResourceDefinition, its custom objects are deleted.
   *
   * @throws TerminalError if there is no such object
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

  /** Subscribes to later writes of a resource type, except those whose event is lost. */
  subscribe(resourceKey: ResourceKey): FeedSubscription {
    return this.#feed.subscribe(resourceKey);
  }

  /**
   * Returns the writes of a resource type after a revision, except those whose event is lost.
   *
   * @throws CompactedError
   */
  eventsAfter(resourceKey: ResourceKey, revision: number): StoreEvent<SimulatedObject>[] {
    return this.store
      .eventsAfter(resourceKey, revision)
      .filter((event) => !this.#lostRevisions.has(event.revision));
  }

  /** Number of open watches. */
  get watches(): number {
    return this.#feed.watchers;
  }

  /** Compacts up to a revision; default: the newest. Older tokens and watches then get 410. */
  compact(revision?: number): void {
    this.store.compact(revision);
  }

  /** Restores a revision, like an etcd from a backup, and closes all watches. */
  restore(revision: number): void {
    this.store.restore(revision);
    for (const lost of this.#lostRevisions) {
      if (lost > revision) {
        this.#lostRevisions.delete(lost);
      }
    }
    this.breakWatches();
  }

  /** Breaks the connections of all watches, without an end of their streams. */
  breakWatches(): void {
    this.#feed.cutAll(new Error("watch: connection broken"));
  }

  #existing(resourceKey: ResourceKey, namespace: string, name: string): SimulatedObject {
    const object = this.get(resourceKey, namespace, name);
    if (object === undefined) {
      throw new TerminalError(`${resourceKey} ${toObjectKey(namespace, name)}: not found`);
    }
    return object;
  }

  #resourceKeyOf(object: SimulatedObject): ResourceKey {
    const served = this.resources().find(
      (candidate) => candidate.kind === object.kind && toApiVersion(candidate) === object.apiVersion,
    );
    if (served === undefined) {
      throw new TerminalError(`${object.apiVersion} ${object.kind}: not served`);
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
    this.#onWrite(event);
    if (this.faults.takeLoss(event.prefix)) {
      this.#lostRevisions.add(event.revision);
    } else {
      this.#feed.publish(event);
    }
  }
}

/** Returns the key of an object in the store: the part of etcd's key behind the resource type. */
export function toObjectKey(namespace: string, name: string): string {
  return namespace === "" ? name : `${namespace}/${name}`;
}

/** Formats a time in the format of Kubernetes, with seconds. */
export function toTimestamp(time: Date): string {
  return time.toISOString().replace(/\.\d+Z$/, "Z");
}
