import { InvalidArgumentError } from "../../lib/errors.ts";
import type { Page, PageQuery, Position } from "../fleet-store.ts";

/**
 * The parts of a position of this length.
 *
 * @throws InvalidArgumentError for a position of another list: it came through the caller's hands.
 */
export function toParts(after: Position, length: number): string[] {
  if (after.length !== length) {
    throw new InvalidArgumentError([{ field: "page_token", description: "is not a token of this list" }]);
  }
  return [...after];
}

/**
 * A page of rows that were read with a limit of one more than the page's: that one tells whether there are more.
 */
export function toPage<Row, T>(
  rows: readonly Row[],
  { limit }: PageQuery,
  toItem: (row: Row) => T,
  toPosition: (row: Row) => Position,
): Page<T> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const next = rows.length > limit && last !== undefined ? toPosition(last) : undefined;
  return { items: shown.map(toItem), next };
}
