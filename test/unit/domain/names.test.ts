import { expect, it } from "vitest";
import { isAccountName, isClusterName } from "../../../src/domain/limits.ts";

it.each([
  ["a", true],
  ["Shop & Söhne/eu", true],
  ["😀".repeat(253), true],
  ["", false],
  ["a".repeat(254), false],
  ["a\0b", false],
  ["a\nb", false],
  ["\ud83d", false],
])("account %j: %s", (text, expected) => {
  expect(isAccountName(text)).toBe(expected);
});

it.each([
  ["prod-1", true],
  ["prod-1.eu.example", true],
  ["1", true],
  ["a".repeat(253), true],
  ["", false],
  ["a".repeat(254), false],
  ["Prod", false],
  ["prod_1", false],
  ["-prod", false],
  ["prod-", false],
  ["a..b", false],
  ["a\n", false],
])("cluster %j: %s", (text, expected) => {
  expect(isClusterName(text)).toBe(expected);
});
