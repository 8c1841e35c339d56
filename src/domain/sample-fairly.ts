import type { Random } from "../lib/random.ts";

/**
 * Selects at most `limit` items. Accounts take turns, so that one account with many items does not delay the others.
 * Within an account the order is random.
 */
export function sampleFairly<T extends { readonly account: string }>(
  random: Random,
  items: readonly T[],
  limit: number,
): T[] {
  const shuffled = items.map((item) => ({ item, rank: random.float() })).sort((a, b) => a.rank - b.rank);
  const turns = new Map<string, number>();
  return shuffled
    .map(({ item, rank }) => {
      const turn = turns.get(item.account) ?? 0;
      turns.set(item.account, turn + 1);
      return { item, turn, rank };
    })
    .sort((a, b) => a.turn - b.turn || a.rank - b.rank)
    .slice(0, limit)
    .map(({ item }) => item);
}
