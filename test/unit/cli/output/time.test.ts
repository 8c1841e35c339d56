import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { formatAgo, formatBetween } from "../../../../src/cli/output/table.ts";

const now = new Date("2026-01-02T00:00:00Z");
const before = (ms: number) => timestampFromDate(new Date(now.getTime() - ms));

test.each([
  [-5000, "0s ago"],
  [999, "0s ago"],
  [3000, "3s ago"],
  [310_000, "5m10s ago"],
  [3_600_000, "1h ago"],
  [3_605_000, "1h ago"],
  [7_500_000, "2h5m ago"],
  [273_600_000, "3d4h ago"],
])("%d ms are %s", (ms, text) => {
  expect(formatAgo(now, before(ms))).toBe(text);
});

test("a time that is not set is empty", () => {
  expect(formatAgo(now, undefined)).toBe("");
  expect(formatBetween(before(1), undefined)).toBe("");
});

test.each([
  [1234, "1.2s"],
  [61_000, "1m1s"],
])("%d ms between are %s", (ms, text) => {
  expect(formatBetween(before(ms), timestampFromDate(now))).toBe(text);
});
