/** One write: at `revision`, the key's value went from `previous` to `value`; `undefined` is absence. */
export interface StoreEvent<T> {
  readonly revision: number;
  readonly prefix: string;
  readonly key: string;
  readonly value: T | undefined;
  readonly previous: T | undefined;
}

/** A key that is present at some revision. */
export interface StoreEntry<T> {
  readonly key: string;
  readonly value: T;
  /** Revision of the last write to the key, at or below the one asked for. */
  readonly modRevision: number;
}

/** The revision is older than what the store kept. */
export class CompactedError extends Error {
  override readonly name = "CompactedError";
}

/** The revision is newer than the store's newest. */
export class FutureRevisionError extends Error {
  override readonly name = "FutureRevisionError";
}

interface Version<T> {
  readonly revision: number;
  readonly value: T | undefined;
}

type SortedKey<T> = readonly [key: string, versions: readonly Version<T>[]];

/**
 * A store of every revision, as etcd is one: each write gets the next number of one counter for all keys, the past
 * can be read until it is compacted. Keys stand under a prefix (a kind) and are ordered by their UTF-8 bytes.
 */
export class MvccStore<T> {
  readonly #versions = new Map<string, Map<string, Version<T>[]>>();
  /** Versions in the order of their keys, until a key is added or forgotten: a list in pages sorts once. */
  readonly #sorted = new Map<string, readonly SortedKey<T>[]>();
  #events: StoreEvent<T>[] = [];
  #revision: number;
  #compactedRevision = 0;

  /** An empty store is at revision 1, as etcd's, unless `revision` says otherwise. */
  constructor(revision = 1) {
    this.#revision = revision;
  }

  /** Revision of the last write. */
  get revision(): number {
    return this.#revision;
  }

  /** What happened at or before it can no longer be asked for; reading at this very revision still works. */
  get compactedRevision(): number {
    return this.#compactedRevision;
  }

  /** Sets a key, or removes it with `undefined`. Removing what is not there is an event, too: the caller checks. */
  write(prefix: string, key: string, value: T | undefined): StoreEvent<T> {
    const versions = this.#versionsOf(prefix, key);
    const previous = versions.at(-1)?.value;
    this.#revision += 1;
    versions.push({ revision: this.#revision, value });
    const event = { revision: this.#revision, prefix, key, value, previous };
    this.#events.push(event);
    return event;
  }

  /** The key at a revision, the newest unless given. Throws as {@link list} does. */
  get(prefix: string, key: string, revision = this.#revision): StoreEntry<T> | undefined {
    this.#assertReadable(revision);
    return entryAt(key, this.#versions.get(prefix)?.get(key) ?? [], revision);
  }

  /**
   * Every key of the prefix at a revision, in the order of keys, from `startKey` on.
   *
   * Throws {@link CompactedError} and {@link FutureRevisionError}.
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

  /** Writes to the prefix after a revision, which may be in the future. Throws {@link CompactedError}. */
  eventsAfter(prefix: string, revision: number): StoreEvent<T>[] {
    if (revision < this.#compactedRevision) {
      throw new CompactedError(`revision ${revision} is compacted, up to ${this.#compactedRevision}`);
    }
    return this.#events.filter((event) => event.prefix === prefix && event.revision > revision);
  }

  /** Forgets what happened up to and with a revision; the state at it stays. */
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

  /** Goes back to a revision, as an etcd restored from a backup does: the numbers after it are given out again. */
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
      throw new FutureRevisionError(`revision ${revision} is after the newest, ${this.#revision}`);
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

/** First position whose key is not before `key`. */
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

/** Order of two keys by their UTF-8 bytes, which JavaScript's own order of UTF-16 units is not above U+FFFF. */
export function compareStoreKeys(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
