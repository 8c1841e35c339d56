import { compareKeyBytes } from "../../domain/object-key.ts";
import { minVersion, parseResourceVersion } from "../../domain/resource-version.ts";
import { type Address, type PackedObject, PackedRecords } from "./packed-records.ts";

/**
 * A complete list of a resource type, metadata only: its objects in key order, and the version of the list. A
 * resource type that is read in several namespaces has one list and one version for each.
 */
export class Snapshot {
  readonly #records: PackedRecords;
  readonly #order: Uint32Array;
  readonly #versions: ReadonlyMap<string, string>;

  /** Called by {@link SnapshotBuilder} only. */
  constructor(records: PackedRecords, order: Uint32Array, versions: ReadonlyMap<string, string>) {
    this.#records = records;
    this.#order = order;
    this.#versions = versions;
  }

  get size(): number {
    return this.#order.length;
  }

  /** True if each list's version is a number, and so compares. */
  get isVersioned(): boolean {
    return this.#versions.values().every((version) => parseResourceVersion(version) !== undefined);
  }

  /**
   * Lowest version of the lists: the whole resource type was observed at this version or later. Empty if
   * versions do not compare.
   */
  get lowestVersion(): string {
    const versions = [...this.#versions.values()]
      .map(parseResourceVersion)
      .filter((version) => version !== undefined);
    return this.isVersioned ? String(versions.reduce(minVersion)) : "";
  }

  /** Returns the version of the list that covers a namespace; empty if versions do not compare. */
  versionFor(namespace: string): string {
    const version = this.#versions.get(namespace) ?? this.#versions.get("") ?? "";
    return this.isVersioned ? version : "";
  }

  /** Namespaces that were listed; "" for all. */
  get namespaces(): readonly string[] {
    return [...this.#versions.keys()];
  }

  /** True if one of the lists covers the namespace. */
  covers(namespace: string): boolean {
    return this.#versions.has(namespace) || this.#versions.has("");
  }

  keyAt(index: number): string {
    return this.#records.key(this.#addressAt(index));
  }

  at(index: number): PackedObject {
    return this.#records.get(this.#addressAt(index));
  }

  /** Returns the index of the key, or undefined. */
  find(key: string): number | undefined {
    const index = this.#lowerBound(key);
    return index < this.size && this.keyAt(index) === key ? index : undefined;
  }

  /** Returns the first index behind the key; 0 for the empty key. */
  after(key: string): number {
    const index = this.#lowerBound(key);
    return index < this.size && this.keyAt(index) === key ? index + 1 : index;
  }

  #addressAt(index: number): Address {
    const address = this.#order[index];
    if (address === undefined) {
      throw new RangeError(`snapshot: expected an index below ${this.size}, found ${index}`);
    }
    return address;
  }

  /** Returns the first index whose key is not before `key`. */
  #lowerBound(key: string): number {
    const bytes = Buffer.from(key);
    let [low, high] = [0, this.size];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareKeyBytes(this.#records.keyBytes(this.#addressAt(middle)), bytes) < 0) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }
}

/**
 * Collects the pages of the lists of a resource type. The result is a snapshot only after every list has
 * ended without error.
 */
export class SnapshotBuilder {
  readonly #records = new PackedRecords();
  readonly #addresses: Address[] = [];
  readonly #versions = new Map<string, string>();

  add(key: string, object: PackedObject): void {
    this.#addresses.push(this.#records.add(Buffer.from(key), object));
  }

  /** Records the end of the list of a namespace ("" for all) at this version. */
  endList(namespace: string, version: string): void {
    this.#versions.set(namespace, version);
  }

  build(): Snapshot {
    const keys = (address: Address): Uint8Array => this.#records.keyBytes(address);
    const sorted = Uint32Array.from(this.#addresses).sort((a, b) => compareKeyBytes(keys(a), keys(b)));
    // A key that occurs on two pages counts once.
    const order = sorted.filter((address, i) => {
      const next = sorted[i + 1];
      return next === undefined || compareKeyBytes(keys(address), keys(next)) !== 0;
    });
    return new Snapshot(this.#records, order, this.#versions);
  }
}
