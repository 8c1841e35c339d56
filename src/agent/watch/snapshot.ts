import { compareKeyBytes } from "../../domain/object-key.ts";
import { minVersion, parseResourceVersion } from "../../domain/resource-version.ts";
import { type Address, type PackedObject, PackedRecords } from "./packed-records.ts";

/**
 * A finished list of a kind, metadata only: its objects in the order of their keys, and the version of the
 * list. A kind that is read in several namespaces has a list, and a version, for each.
 */
export class Snapshot {
  readonly #records: PackedRecords;
  readonly #order: Uint32Array;
  readonly #versions: ReadonlyMap<string, string>;

  /** Made by {@link SnapshotBuilder}. */
  constructor(records: PackedRecords, order: Uint32Array, versions: ReadonlyMap<string, string>) {
    this.#records = records;
    this.#order = order;
    this.#versions = versions;
  }

  get size(): number {
    return this.#order.length;
  }

  /** Whether each list's version is a number, and so compares. */
  get isVersioned(): boolean {
    return this.#versions.values().every((version) => parseResourceVersion(version) !== undefined);
  }

  /**
   * The lowest version of its lists: the whole kind was seen at least as new. Empty when versions do not
   * compare.
   */
  get lowestVersion(): string {
    const versions = [...this.#versions.values()]
      .map(parseResourceVersion)
      .filter((version) => version !== undefined);
    return this.isVersioned ? String(versions.reduce(minVersion)) : "";
  }

  /**
   * Version of the list that would have the objects of this namespace. Empty when versions do not compare.
   */
  versionFor(namespace: string): string {
    const version = this.#versions.get(namespace) ?? this.#versions.get("") ?? "";
    return this.isVersioned ? version : "";
  }

  /** The namespaces that were listed; "" is all. */
  get namespaces(): readonly string[] {
    return [...this.#versions.keys()];
  }

  /** Whether one of its lists would have the objects of this namespace. */
  covers(namespace: string): boolean {
    return this.#versions.has(namespace) || this.#versions.has("");
  }

  keyAt(index: number): string {
    return this.#records.key(this.#addressAt(index));
  }

  at(index: number): PackedObject {
    return this.#records.get(this.#addressAt(index));
  }

  /** Position of the key, or undefined. */
  find(key: string): number | undefined {
    const index = this.#lowerBound(key);
    return index < this.size && this.keyAt(index) === key ? index : undefined;
  }

  /** First position behind the key; 0 for the empty key. */
  after(key: string): number {
    const index = this.#lowerBound(key);
    return index < this.size && this.keyAt(index) === key ? index + 1 : index;
  }

  #addressAt(index: number): Address {
    const address = this.#order[index];
    if (address === undefined) {
      throw new RangeError(`position ${index} of ${this.size}`);
    }
    return address;
  }

  /** First position whose key is not before `key`. */
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

/** Collects the pages of a kind's lists. What it holds is no snapshot until each list has ended by itself. */
export class SnapshotBuilder {
  readonly #records = new PackedRecords();
  readonly #addresses: Address[] = [];
  readonly #versions = new Map<string, string>();

  add(key: string, object: PackedObject): void {
    this.#addresses.push(this.#records.add(Buffer.from(key), object));
  }

  /** States that the list of a namespace ("" for all) has ended, at this version. */
  endList(namespace: string, version: string): void {
    this.#versions.set(namespace, version);
  }

  build(): Snapshot {
    const keys = (address: Address): Uint8Array => this.#records.keyBytes(address);
    const sorted = Uint32Array.from(this.#addresses).sort((a, b) => compareKeyBytes(keys(a), keys(b)));
    // A key that came twice, on two pages, counts once.
    const order = sorted.filter((address, i) => {
      const next = sorted[i + 1];
      return next === undefined || compareKeyBytes(keys(address), keys(next)) !== 0;
    });
    return new Snapshot(this.#records, order, this.#versions);
  }
}
