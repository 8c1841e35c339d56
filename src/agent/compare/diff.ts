import { sameChecksum } from "../../domain/checksum.ts";
import { compareKeys } from "../../domain/object-key.ts";
import { BadInventoryError } from "../../domain/reconciliation/key-ranges.ts";

/** An object that the cluster has. */
export interface ListedObject {
  readonly key: string;
  readonly uid: string;
  /** Its own resourceVersion. */
  readonly version: string;
  /** Of its content; undefined when only its metadata is known. */
  readonly checksum: Uint8Array | undefined;
}

/** An object that Postgres has. */
export interface HeldObject {
  readonly key: string;
  readonly uid: string;
  readonly version: string;
  /** Empty when the row is not to be trusted. */
  readonly checksum: Uint8Array;
  readonly contentFormat: string;
}

/** How to compare. */
export interface DiffOptions {
  /** Keys that take no part. */
  readonly managed: ReadonlySet<string>;
  /** Form that content has to have. */
  readonly contentFormat: string;
  /**
   * Whether the held versions belong to the listed ones' incarnation; else the same version proves nothing.
   */
  readonly sameIncarnation: boolean;
}

/** What the comparison of one object found; `at` is its place among the listed ones. */
export type Finding =
  | { readonly type: "equal"; readonly at: number }
  /** Both have it, but not the same. */
  | { readonly type: "changed"; readonly at: number }
  /** The cluster alone has it. */
  | { readonly type: "added"; readonly at: number }
  /** Postgres alone has it. */
  | { readonly type: "missing"; readonly held: HeldObject };

/**
 * Compares what the cluster has with what Postgres has, in one pass over both in the order of their keys.
 * Throws {@link BadInventoryError} when the held objects are not in order.
 */
export function* diff(
  listed: Iterable<ListedObject>,
  held: Iterable<HeldObject>,
  options: DiffOptions,
): Generator<Finding, void, undefined> {
  const believed = held[Symbol.iterator]();
  let mine = nextHeld(believed, undefined);
  let at = -1;
  for (const theirs of listed) {
    at++;
    while (mine !== undefined && compareKeys(mine.key, theirs.key) < 0) {
      if (!options.managed.has(mine.key)) {
        yield { type: "missing", held: mine };
      }
      mine = nextHeld(believed, mine);
    }
    const match = mine?.key === theirs.key ? mine : undefined;
    if (!options.managed.has(theirs.key)) {
      yield {
        type: match === undefined ? "added" : isEqual(theirs, match, options) ? "equal" : "changed",
        at,
      };
    }
    mine = match === undefined ? mine : nextHeld(believed, match);
  }
  for (; mine !== undefined; mine = nextHeld(believed, mine)) {
    if (!options.managed.has(mine.key)) {
      yield { type: "missing", held: mine };
    }
  }
}

function nextHeld(believed: Iterator<HeldObject>, last: HeldObject | undefined): HeldObject | undefined {
  const { value, done } = believed.next();
  if (done === true) {
    return undefined;
  }
  const held = value as HeldObject;
  if (last !== undefined && compareKeys(last.key, held.key) >= 0) {
    throw new BadInventoryError(`the inventory is not in order: ${held.key} after ${last.key}`);
  }
  return held;
}

function isEqual(
  listed: ListedObject,
  held: HeldObject,
  { contentFormat, sameIncarnation }: DiffOptions,
): boolean {
  return (
    sameIncarnation &&
    listed.uid === held.uid &&
    listed.version === held.version &&
    held.contentFormat === contentFormat &&
    held.checksum.length !== 0 &&
    (listed.checksum === undefined || sameChecksum(listed.checksum, held.checksum))
  );
}
