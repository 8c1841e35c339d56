import { sameChecksum } from "../../domain/content-format.ts";
import { compareKeys } from "../../domain/object-key.ts";
import { BadInventoryError } from "../../domain/reconciliation/key-ranges.ts";

/** An object in the agent's list of the cluster. */
export interface ListedObject {
  readonly key: string;
  readonly uid: string;
  /** The object's own `metadata.resourceVersion`; empty if the API server states none. */
  readonly resourceVersion: string;
  /** Checksum of the content; undefined if only the metadata is known. */
  readonly checksum: Uint8Array | undefined;
}

/** An object in the inventory, as stored in Postgres. */
export interface StoredObject {
  readonly key: string;
  readonly uid: string;
  readonly resourceVersion: string;
  /** Empty if the row cannot prove its content, for example after an edit outside the ingester. */
  readonly checksum: Uint8Array;
  readonly contentFormat: string;
}

/** Parameters of a comparison. */
export interface DiffOptions {
  /** Keys of managed objects, which are not compared. */
  readonly managed: ReadonlySet<string>;
  /** Content format that equal rows must have. */
  readonly contentFormat: string;
  /** True if stored and listed versions belong to one incarnation; otherwise equal versions prove nothing. */
  readonly isSameIncarnation: boolean;
  /** True if an equal version proves nothing. */
  readonly isInDoubt: (resourceVersion: string) => boolean;
}

/** Result of the comparison of one object; `at` is its index among the listed ones. */
export type DiffEntry =
  | { readonly type: "equal"; readonly at: number }
  /** Cluster and Postgres have the object, with different states, or without versions that could be equal. */
  | { readonly type: "changed"; readonly at: number; readonly stored: StoredObject }
  /** The cluster has an object, Postgres has no row. */
  | { readonly type: "rowMissing"; readonly at: number }
  /** Postgres has a row, the cluster has no object. */
  | { readonly type: "objectMissing"; readonly stored: StoredObject };

/**
 * Compares listed with stored objects in one pass over both, in key order.
 *
 * @throws BadInventoryError when the stored objects are out of order.
 */
export function* diff(
  listedObjects: Iterable<ListedObject>,
  storedObjects: Iterable<StoredObject>,
  options: DiffOptions,
): Generator<DiffEntry, void, undefined> {
  const rows = storedObjects[Symbol.iterator]();
  let stored = nextStored(rows, undefined);
  let at = -1;
  for (const listed of listedObjects) {
    at++;
    while (stored !== undefined && compareKeys(stored.key, listed.key) < 0) {
      if (!options.managed.has(stored.key)) {
        yield { type: "objectMissing", stored };
      }
      stored = nextStored(rows, stored);
    }
    const match = stored?.key === listed.key ? stored : undefined;
    if (!options.managed.has(listed.key)) {
      yield match === undefined
        ? { type: "rowMissing", at }
        : isEqual(listed, match, options)
          ? { type: "equal", at }
          : { type: "changed", at, stored: match };
    }
    stored = match === undefined ? stored : nextStored(rows, match);
  }
  for (; stored !== undefined; stored = nextStored(rows, stored)) {
    if (!options.managed.has(stored.key)) {
      yield { type: "objectMissing", stored };
    }
  }
}

function nextStored(rows: Iterator<StoredObject>, last: StoredObject | undefined): StoredObject | undefined {
  const { value, done } = rows.next();
  if (done === true) {
    return undefined;
  }
  const stored = value as StoredObject;
  if (last !== undefined && compareKeys(last.key, stored.key) >= 0) {
    throw new BadInventoryError(
      `inventory: expected keys in order, found "${stored.key}" after "${last.key}"`,
    );
  }
  return stored;
}

function isEqual(
  listed: ListedObject,
  stored: StoredObject,
  { contentFormat, isSameIncarnation, isInDoubt }: DiffOptions,
): boolean {
  return (
    isSameIncarnation &&
    listed.uid === stored.uid &&
    // Two objects without versions are equal only if their contents are.
    listed.resourceVersion !== "" &&
    listed.resourceVersion === stored.resourceVersion &&
    !isInDoubt(listed.resourceVersion) &&
    stored.contentFormat === contentFormat &&
    stored.checksum.length !== 0 &&
    (listed.checksum === undefined || sameChecksum(listed.checksum, stored.checksum))
  );
}
