/** One write: at `revision` the key's value changed from `previous` to `value`; undefined: absent. */
export interface StoreEvent<T> {
  readonly revision: number;
  readonly prefix: string;
  readonly key: string;
  readonly value: T | undefined;
  readonly previous: T | undefined;
}

/** A key that is present at a revision. */
export interface StoreEntry<T> {
  readonly key: string;
  readonly value: T;
  /** Revision of the last write to the key, at or below the requested one. */
  readonly modRevision: number;
}

/** Error for a revision that was compacted. */
export class CompactedError extends Error {
  override readonly name = "CompactedError";
}

/** Error for a revision above the newest. */
export class FutureRevisionError extends Error {
  override readonly name = "FutureRevisionError";
}

interface Version<T> {
  readonly revision: number;
  readonly value: T | undefined;
}

type SortedKey<T> = readonly [key: string, versions: readonly Version<T>[]];

/**
 * A store of all revisions, like etcd: one counter numbers the writes of all keys, and old revisions can be read until
 * they are compacted. A key belongs to a prefix (a resource type). Keys are ordered by their UTF-8 bytes.
 */
export class MvccStore<T> {
  readonly #versions = new Map<string, Map<string, Version<T>[]>>();
  /** Cache of the versions in key order, valid until a key is added or removed. A list in pages sorts only once. */
  readonly #sorted = new Map<string, readonly SortedKey<T>[]>();
  #events: StoreEvent<T>[] = [];
  #revision: number;
  #compactedRevision = 0;

  /** Creates an empty store at `revision`; default 1, as in etcd. */
  constructor(revision = 1) {
    this.#revision = revision;
  }

  /** Revision of the last write. */
  get revision(): number {
    return this.#revision;
  }

  /** Compacted revision. Events up to it are gone; reads at it still work. */
  get compactedRevision(): number {
    return this.#compactedRevision;
  }

  /**
   * Sets a key, or removes it with `undefined`. Removing an absent key creates an event too, so the caller must check.
   */
  write(prefix: string, key: string, value: T | undefined): StoreEvent<T> {
    const versions = this.#versionsOf(prefix, key);
    const previous = versions.at(-1)?.value;
    this.#revision += 1;
    versions.push({ revision: this.#revision, value });
    const event = { revision: this.#revision, prefix, key, value, previous };
    this.#events.push(event);
    return event;
  }

  /**
   * Returns the key at a revision; default: the newest.
   *
   * @throws CompactedError or FutureRevisionError
   */
  get(prefix: string, key: string, revision = this.#revision): StoreEntry<T> | undefined {
    this.#assertReadable(revision);
    return entryAt(key, this.#versions.get(prefix)?.get(key) ?? [], revision);
  }

  /**
   * Returns all keys of the prefix at a revision, in key order from `startKey`.
   *
   * @throws CompactedError or FutureRevisionError
   */
  list(prefix: string, revision = this.#revision, startKey = ""): StoreEntry<T>[] {
    this.#assertReadable(revision);
    const sorted = this.#sortedOf(prefix);
    const entries: StoreEntry<T>[] = [];
    for (const [key, versions] of sorted.slice(lowerBound(sorted, startKey))) {
      const entry = entryAt(key, versions, revision);
      if (entry !== undefined) {
        entries.push(entry);
      }
    }
    return entries;
  }

  /**
   * Returns the writes to the prefix after a revision, which can be in the future.
   *
   * @throws CompactedError
   */
  eventsAfter(prefix: string, revision: number): StoreEvent<T>[] {
    if (revision < this.#compactedRevision) {
      throw new CompactedError(`revision ${revision} is compacted, up to ${this.#compactedRevision}`);
    }
    return this.#events.filter((event) => event.prefix === prefix && event.revision > revision);
  }

  /** Removes the events up to and including a revision. The state at it stays. */
  compact(revision = this.#revision): void {
    if (revision <= this.#compactedRevision || revision > this.#revision) {
      return;
    }
    this.#compactedRevision = revision;
    this.#events = this.#events.filter((event) => event.revision > revision);
    for (const keys of this.#versions.values()) {
      for (const [key, versions] of keys) {
        const base = versions.findLastIndex((version) => version.revision <= revision);
        versions.splice(0, versions[base]?.value === undefined ? base + 1 : base);
        if (versions.length === 0) {
          keys.delete(key);
        }
      }
    }
    this.#sorted.clear();
  }

  /** Restores a revision, like an etcd from a backup. The later numbers are assigned again. */
  restore(revision: number): void {
    this.#assertReadable(revision);
    this.#revision = revision;
    this.#events = this.#events.filter((event) => event.revision <= revision);
    for (const keys of this.#versions.values()) {
      for (const [key, versions] of keys) {
        versions.splice(versions.findLastIndex((version) => version.revision <= revision) + 1);
        if (versions.length === 0) {
          keys.delete(key);
        }
      }
    }
    this.#sorted.clear();
  }

  #versionsOf(prefix: string, key: string): Version<T>[] {
    let keys = this.#versions.get(prefix);
    if (keys === undefined) {
      keys = new Map();
      this.#versions.set(prefix, keys);
    }
    let versions = keys.get(key);
    if (versions === undefined) {
      versions = [];
      keys.set(key, versions);
      this.#sorted.delete(prefix);
    }
    return versions;
  }

  #sortedOf(prefix: string): readonly SortedKey<T>[] {
    const sorted =
      this.#sorted.get(prefix) ??
      [...(this.#versions.get(prefix) ?? [])].sort(([a], [b]) => compareStoreKeys(a, b));
    this.#sorted.set(prefix, sorted);
    return sorted;
  }

  #assertReadable(revision: number): void {
    if (revision < this.#compactedRevision) {
      throw new CompactedError(`revision ${revision} is compacted, up to ${this.#compactedRevision}`);
    }
    if (revision > this.#revision) {
      throw new FutureRevisionError(`revision ${revision}: expected at most ${this.#revision}`);
    }
  }
}

function entryAt<T>(
  key: string,
  versions: readonly Version<T>[],
  revision: number,
): StoreEntry<T> | undefined {
  const newest = versions.at(-1);
  const version =
    newest !== undefined && newest.revision <= revision
      ? newest
      : versions.findLast((candidate) => candidate.revision <= revision);
  return version?.value === undefined
    ? undefined
    : { key, value: version.value, modRevision: version.revision };
}

/** Returns the first position whose key is not before `key`. */
function lowerBound<T>(sorted: readonly SortedKey<T>[], key: string): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareStoreKeys(sorted[middle]?.[0] ?? "", key) < 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/** Compares two keys by their UTF-8 bytes. JavaScript compares UTF-16 units, a different order above U+FFFF. */
export function compareStoreKeys(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
