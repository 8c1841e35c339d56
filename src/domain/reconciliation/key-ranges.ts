import { TerminalError } from "../../lib/errors.ts";
import { compareKeys } from "../object-key.ts";

/** The inventory is not what the contract says, so nothing can be concluded from it. */
export class BadInventoryError extends TerminalError {
  override readonly name = "BadInventoryError";
  readonly reason = "BadInventory";
}

/** A range of keys (after, through]; to the end of the key space when it is the last one. */
export interface KeyRange {
  /** Empty is the beginning. */
  readonly after: string;
  readonly through: string;
  readonly last: boolean;
}

/**
 * Collects the ranges of one attempt at an inventory, in any order, and tells when they tile the whole key
 * space. A range that came before is no news; two that overlap never tile, and a gap is only closed by what
 * fills it.
 */
export class KeyRanges {
  readonly #ranges = new Map<string, KeyRange>();

  /**
   * Takes a range; false when it came before. Throws {@link BadInventoryError} when it is empty, or
   * contradicts one that came before.
   */
  add(range: KeyRange): boolean {
    if (!range.last && compareKeys(range.after, range.through) >= 0) {
      throw new BadInventoryError(`an empty range of keys: (${range.after}, ${range.through}]`);
    }
    const known = this.#ranges.get(range.after);
    if (known === undefined) {
      this.#ranges.set(range.after, range);
      return true;
    }
    if (known.last !== range.last || (!range.last && known.through !== range.through)) {
      throw new BadInventoryError(`two ranges of keys behind ${JSON.stringify(range.after)}`);
    }
    return false;
  }

  /** Whether the ranges cover each key exactly once. */
  get isTiled(): boolean {
    let count = 0;
    for (let range = this.#ranges.get(""); range !== undefined; range = this.#ranges.get(range.through)) {
      count++;
      if (range.last) {
        return count === this.#ranges.size;
      }
    }
    return false;
  }
}
