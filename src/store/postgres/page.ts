import { InvalidArgumentError } from "../../lib/errors.ts";
import type { ClusterSelection, Page, PageQuery, Position } from "../fleet-store.ts";

/** Returns the condition for the rows of the selected clusters. */
export function ofClusters({ clusters }: ClusterSelection) {
  return clusters === undefined ? {} : { cluster: { in: [...clusters] } };
}

/**
 * Returns the time and id of a position in a list that is ordered by them; undefined at the beginning of the list.
 *
 * @throws InvalidArgumentError if it is no such position
 */
export function toTimePosition({
  after,
}: PageQuery): { readonly time: Date; readonly id: string } | undefined {
  if (after === undefined) {
    return undefined;
  }
  const [text = "", id = ""] = toParts(after, 2);
  const time = new Date(text);
  if (Number.isNaN(time.getTime()) || !/^[0-9a-f-]{36}$/.test(id)) {
    throw invalidPageToken();
  }
  return { time, id };
}

/**
 * Returns the parts of a position. A position comes from the caller, so it may belong to another list.
 *
 * @throws InvalidArgumentError if the position does not have this length
 */
export function toParts(after: Position, length: number): string[] {
  if (after.length !== length) {
    throw invalidPageToken();
  }
  return [...after];
}

function invalidPageToken(): InvalidArgumentError {
  return new InvalidArgumentError([{ field: "page_token", description: "is not a token of this list" }], {
    info: { reason: "INVALID_PAGE_TOKEN" },
  });
}

/** Returns the page of rows that were read with the page's limit plus one: the extra row proves that there are more. */
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
