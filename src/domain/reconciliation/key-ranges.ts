import { TerminalError } from "../../lib/errors.ts";
import { compareKeys } from "../object-key.ts";

/** Error for an inventory that violates the contract. Nothing can be concluded from such an inventory. */
export class BadInventoryError extends TerminalError {
  override readonly name = "BadInventoryError";
  readonly reason = "BadInventory";
}

/** A range of keys (after, through]; the last range extends to the end of the key space. */
export interface KeyRange {
  /** Empty for the beginning of the key space. */
  readonly after: string;
  readonly through: string;
  readonly last: boolean;
}

/**
 * The ranges of one attempt at an inventory, in any order, until they tile the whole key space. A repeated range
 * changes nothing. Ranges that overlap never tile, and only the missing range closes a gap.
 */
export class KeyRanges {
  readonly #ranges = new Map<string, KeyRange>();

  /**
   * Adds a range. Returns false if the same range was added before.
   *
   * @throws BadInventoryError if the range is empty or contradicts an earlier one
   */
  add(range: KeyRange): boolean {
    if (!range.last && compareKeys(range.after, range.through) >= 0) {
      throw new BadInventoryError(`inventory: key range (${range.after}, ${range.through}] is empty`);
    }
    const known = this.#ranges.get(range.after);
    if (known === undefined) {
      this.#ranges.set(range.after, range);
      return true;
    }
    if (known.last !== range.last || (!range.last && known.through !== range.through)) {
      throw new BadInventoryError(
        `inventory: two different key ranges begin after ${JSON.stringify(range.after)}`,
      );
    }
    return false;
  }

  /** True if the ranges cover each key exactly once. */
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
