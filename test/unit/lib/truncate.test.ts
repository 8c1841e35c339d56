import { expect, it } from "vitest";
import { truncate } from "../../../src/lib/truncate.ts";

it.each([
  ["a text that fits", "abcde", "abcde"],
  ["a longer one", "abcdef", "ab..."],
  ["characters of two bytes, of which none is cut in half", "aéèf", "a..."],
  ["a surrogate pair, which is not cut in half", "a😀😀", "a..."],
])("%s is cut to 5 bytes", (_, text, expected) => {
  expect(truncate(text, 5)).toBe(expected);
  expect(Buffer.byteLength(expected)).toBeLessThanOrEqual(5);
});
