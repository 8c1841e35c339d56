import { expect, it } from "vitest";
import { truncate } from "../../../src/lib/text.ts";

it.each([
  ["a text that fits", "abcde", "abcde"],
  ["a longer text", "abcdef", "ab..."],
  ["a text with characters of two bytes, without splitting one", "aéèf", "a..."],
  ["a text with surrogate pairs, without splitting one", "a😀😀", "a..."],
])("%s is truncated to 5 bytes", (_, text, expected) => {
  expect(truncate(text, 5)).toBe(expected);
  expect(Buffer.byteLength(expected)).toBeLessThanOrEqual(5);
});
