/** A page of a list. */
interface Page<T> {
  readonly items: readonly T[];
  readonly nextPageToken: string;
}

// The most that a server gives at once.
const maxPageSize = 1000;

/** Up to `limit` entries of a list, page by page. */
export async function listPages<T>(
  limit: number,
  fetchPage: (pageSize: number, pageToken: string) => Promise<Page<T>>,
): Promise<T[]> {
  const items: T[] = [];
  let pageToken = "";
  do {
    const page = await fetchPage(Math.min(maxPageSize, limit - items.length), pageToken);
    items.push(...page.items);
    pageToken = page.nextPageToken;
  } while (pageToken !== "" && items.length < limit);
  return items;
}
