import { expect, test } from "vitest";
import * as z from "zod/mini";
import { byteSize, duration, list } from "../../../src/config/value-types.ts";

test.each([
  ["500ms", 500],
  ["10s", 10_000],
  ["10m", 600_000],
  ["1h30m", 5_400_000],
  ["7d", 604_800_000],
])("the duration %s is %d ms", (text, ms) => {
  expect(duration.schema.parse(text)).toBe(ms);
});

test.each([
  ["1B", 1],
  ["512KiB", 524_288],
  ["4MiB", 4_194_304],
  ["1GiB", 1_073_741_824],
])("the size %s is %d bytes", (text, bytes) => {
  expect(byteSize.schema.parse(text)).toBe(bytes);
});

test.each([
  "",
  "10",
  "0s",
  "-1s",
  "1.5h",
  "10 s",
  "10S",
  "s",
  "10sec",
  "4MB",
  10,
  null,
  `${"9".repeat(400)}s`,
])("%j is neither", (text) => {
  expect(duration.schema.safeParse(text).success).toBe(false);
  expect(byteSize.schema.safeParse(text).success).toBe(false);
});

test("a list has at most the given number of values", () => {
  const { schema } = list(z.string(), "name,...", "a list of at most 2 names", 2);
  expect(schema.safeParse(["a", "b"]).success).toBe(true);
  expect(schema.safeParse(["a", "b", "c"]).success).toBe(false);
});
