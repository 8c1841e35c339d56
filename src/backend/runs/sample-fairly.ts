import type { Random } from "../../lib/random.ts";

/**
 * Selects at most `limit` clusters. Accounts take turns, so that one account with many due clusters does not
 * delay the others. Within an account the order is random.
 */
export function sampleFairly<T extends { readonly account: string }>(
  random: Random,
  due: readonly T[],
  limit: number,
): T[] {
  const shuffled = due.map((cluster) => ({ cluster, rank: random.float() })).sort((a, b) => a.rank - b.rank);
  const turns = new Map<string, number>();
  return shuffled
    .map(({ cluster, rank }) => {
      const turn = turns.get(cluster.account) ?? 0;
      turns.set(cluster.account, turn + 1);
      return { cluster, turn, rank };
    })
    .sort((a, b) => a.turn - b.turn || a.rank - b.rank)
    .slice(0, limit)
    .map(({ cluster }) => cluster);
}
