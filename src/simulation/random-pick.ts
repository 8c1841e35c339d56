import type { Random } from "../lib/random.ts";

/** An integer in [0, count). */
export function drawIndex(random: Random, count: number): number {
  return Math.floor(random.float() * count);
}

/** One of the items, each as likely; `undefined` of none. */
export function drawOne<T>(random: Random, items: readonly T[]): T | undefined {
  return items[drawIndex(random, items.length)];
}

/** One of the items, of which there is at least one. */
export function drawOneOf<T>(random: Random, items: readonly T[]): T {
  const item = drawOne(random, items);
  if (item === undefined) {
    throw new RangeError("there is nothing to draw from");
  }
  return item;
}

/** Letters of Kubernetes's own generated names: no vowels, so that no words come about. */
const ALPHABET = "bcdfghjklmnpqrstvwxz2456789";

/** A suffix of a generated name. */
export function drawSuffix(random: Random, length = 5): string {
  return Array.from({ length }, () => ALPHABET.charAt(drawIndex(random, ALPHABET.length))).join("");
}
