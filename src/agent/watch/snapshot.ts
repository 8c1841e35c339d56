import { compareKeyBytes, type ObjectKey, parseKey } from "../../domain/object-key.ts";
import { minVersion, parseResourceVersion } from "../../domain/resource-version.ts";
import { type Address, type PackedObject, PackedRecords } from "./packed-records.ts";

/** Objects that no row can hold. */
export interface UnrepresentableKeys {
  readonly count: number;
  /** The first keys, escaped. */
  readonly examples: readonly string[];
}

interface SnapshotParts {
  readonly records: PackedRecords;
  readonly order: Uint32Array;
  readonly versions: ReadonlyMap<string, string>;
  readonly isVersioned: boolean;
  readonly unrepresentable: UnrepresentableKeys;
}

/** Most keys that {@link UnrepresentableKeys} names, as in the contract. */
const MAX_EXAMPLES = 10;

/**
 * A complete list of a resource type, metadata only: its objects in key order, and the version of the list. A
 * resource type that is read in several namespaces has one list and one version for each.
 */
export class Snapshot {
  readonly #records: PackedRecords;
  readonly #order: Uint32Array;
  readonly #versions: ReadonlyMap<string, string>;
  /** True if versions of the resource type compare, so that they order its observations. */
  readonly isVersioned: boolean;
  /** Listed objects that no row can hold; they have no index. */
  readonly unrepresentable: UnrepresentableKeys;

  /** Called by {@link SnapshotBuilder} only. */
  constructor({ records, order, versions, isVersioned, unrepresentable }: SnapshotParts) {
    this.#records = records;
    this.#order = order;
    this.#versions = versions;
    this.isVersioned = isVersioned;
    this.unrepresentable = unrepresentable;
  }

  get size(): number {
    return this.#order.length;
  }

  /** Bytes of the objects and their order. */
  get bytes(): number {
    return this.#records.bytes + this.#order.byteLength;
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

  /** Returns the key of an object, whose parts a row can have. */
  objectKeyAt(index: number): ObjectKey {
    const key = parseKey(this.keyAt(index));
    if (key === undefined) {
      throw new Error(`snapshot: expected a key, found ${JSON.stringify(this.keyAt(index))}`);
    }
    return key;
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
  readonly #examples: string[] = [];
  #unrepresentable = 0;
  #hasVersion = false;
  #hasUid = false;

  add(key: string, object: PackedObject): void {
    this.#hasVersion ||= object.resourceVersion !== "";
    this.#hasUid ||= object.uid !== "";
    this.#addresses.push(this.#records.add(Buffer.from(key), object));
  }

  /** Counts an object that no row can hold. */
  skip(escapedKey: string): void {
    this.#unrepresentable++;
    if (this.#examples.length < MAX_EXAMPLES) {
      this.#examples.push(escapedKey);
    }
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
    return new Snapshot({
      records: this.#records,
      order,
      versions: this.#versions,
      isVersioned: this.#isVersioned(),
      unrepresentable: { count: this.#unrepresentable, examples: this.#examples },
    });
  }

  /**
   * True if each list states a number as its version, and its objects have versions and uids. Some aggregated
   * APIs serve lists or objects without them. One odd object does not change the order of all others.
   */
  #isVersioned(): boolean {
    const isNumbered = this.#versions.values().every((text) => parseResourceVersion(text) !== undefined);
    return isNumbered && (this.#addresses.length === 0 || (this.#hasVersion && this.#hasUid));
  }
}
