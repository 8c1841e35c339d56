import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  BadInventoryError,
  type KeyRange,
  KeyRanges,
} from "../../../../src/domain/reconciliation/key-ranges.ts";

describe("R33: key ranges", () => {
  const all: KeyRange[] = [
    { after: "", through: "a/m", last: false },
    { after: "a/m", through: "b/a", last: false },
    { after: "b/a", through: "", last: true },
  ];

  it("tile in any order, and only when all are there", () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(all, { minLength: 0, maxLength: 3 }), (some) => {
        const ranges = new KeyRanges();
        for (const range of some) {
          expect(ranges.add(range)).toBe(true);
        }
        expect(ranges.isTiled).toBe(some.length === all.length);
      }),
    );
  });

  it("do not tile when they overlap", () => {
    const ranges = new KeyRanges();
    for (const range of [...all, { after: "a/c", through: "a/d", last: false }]) {
      ranges.add(range);
    }
    expect(ranges.isTiled).toBe(false);
  });

  it("take one that comes twice once, and refuse one that contradicts", () => {
    const ranges = new KeyRanges();
    ranges.add({ after: "", through: "a/m", last: false });
    expect(ranges.add({ after: "", through: "a/m", last: false })).toBe(false);
    expect(() => ranges.add({ after: "", through: "a/n", last: false })).toThrow("two different key ranges");
    expect(() => ranges.add({ after: "b/a", through: "a/z", last: false })).toThrow(
      "key range (b/a, a/z] is empty",
    );
  });

  it("do not tile with a gap, nor without the last one", () => {
    const ranges = new KeyRanges();
    expect(ranges.isTiled).toBe(false);
    ranges.add({ after: "", through: "a/m", last: false });
    ranges.add({ after: "a/n", through: "", last: true });
    expect(ranges.isTiled).toBe(false);
  });

  it("tile as one range, which is the last, whatever its end is", () => {
    const ranges = new KeyRanges();
    ranges.add({ after: "", through: "", last: true });
    expect(ranges.isTiled).toBe(true);
    expect(ranges.add({ after: "", through: "a/m", last: true })).toBe(false);
  });

  it("refuse a last range where another one began, and the reverse", () => {
    for (const isLastFirst of [true, false]) {
      const ranges = new KeyRanges();
      ranges.add({ after: "", through: "a/m", last: isLastFirst });
      expect(() => ranges.add({ after: "", through: "a/m", last: !isLastFirst })).toThrow(
        'inventory: two different key ranges begin after ""',
      );
    }
  });

  it("refuse a range that ends where it begins", () => {
    expect(() => new KeyRanges().add({ after: "a/m", through: "a/m", last: false })).toThrow(
      BadInventoryError,
    );
  });
});

it("states the reason that the run records", () => {
  expect(new BadInventoryError("ranges overlap")).toMatchObject({
    name: "BadInventoryError",
    reason: "BadInventory",
  });
});
