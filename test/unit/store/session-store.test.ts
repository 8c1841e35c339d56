import { expect, it } from "vitest";
import { isRecent } from "../../../src/store/session-store.ts";

const now = new Date("2026-01-02T03:04:05Z");

it.each([
  ["now", 0, true],
  ["30 seconds ago", 30_000, true],
  ["more than 30 seconds ago", 30_001, false],
  ["up to 5 seconds in the future", -5_000, true],
  ["later: from before the database's clock went back", -5_001, false],
])("a sign of life of %s", (_, ageMs, isAlive) => {
  expect(isRecent(new Date(now.getTime() - ageMs), now)).toBe(isAlive);
});
