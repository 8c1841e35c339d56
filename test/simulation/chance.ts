import type { Random } from "../../src/lib/random.ts";

/** True with the probability `share`. */
export function chance(random: Random, share: number): boolean {
  return share > 0 && random.float() < share;
}

/** Returns a number in [least, most). */
export function between(random: Random, least: number, most: number): number {
  return least + random.float() * (most - least);
}

/** Returns an integer in [0, count). */
export function index(random: Random, count: number): number {
  return Math.floor(random.float() * count);
}

/** Returns one of the values, which must not be empty. */
export function pick<T>(random: Random, values: readonly T[]): T {
  return values[index(random, values.length)] as T;
}

/** Returns a key of the table with a probability proportional to its weight. */
export function weighted<K extends string>(random: Random, weights: Readonly<Record<K, number>>): K {
  const entries = Object.entries(weights) as [K, number][];
  let left = random.float() * entries.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [key, weight] of entries) {
    left -= weight;
    if (left < 0) {
      return key;
    }
  }
  return (entries.at(-1) as [K, number])[0];
}
