import type { Random } from "../lib/random.ts";

/** Draws an integer in [0, count). */
export function drawIndex(random: Random, count: number): number {
  return Math.floor(random.float() * count);
}

/** Draws one of the items with equal probability; undefined if there are none. */
export function drawOne<T>(random: Random, items: readonly T[]): T | undefined {
  return items[drawIndex(random, items.length)];
}

/** Draws one of the items, at least one. */
export function drawOneOf<T>(random: Random, items: readonly T[]): T {
  const item = drawOne(random, items);
  if (item === undefined) {
    throw new RangeError("drawOneOf: no items");
  }
  return item;
}

/** Alphabet of Kubernetes' generated names. Without vowels there are no words. */
const ALPHABET = "bcdfghjklmnpqrstvwxz2456789";

/** Draws the suffix of a generated name. */
export function drawSuffix(random: Random, length = 5): string {
  return Array.from({ length }, () => ALPHABET.charAt(drawIndex(random, ALPHABET.length))).join("");
}
