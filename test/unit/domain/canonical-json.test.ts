import { hash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  canonicalize,
  canonicalNumber,
  parseExact,
  UncanonicalError,
} from "../../../src/domain/canonical-json.ts";
import { canonicalVectors } from "../../support/canonical-vectors.ts";

describe("canonical JSON", () => {
  it.each(canonicalVectors)("$name", ({ text, canonical, sha256 }) => {
    expect(canonicalize(parseExact(text))).toBe(canonical);
    expect(hash("sha256", canonical)).toBe(sha256);
    expect(canonicalize(parseExact(canonical))).toBe(canonical);
  });

  it("keeps all values that JSON.parse keeps, and is idempotent", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = canonicalize(parseExact(JSON.stringify(value)));
        expect(canonicalize(parseExact(text))).toBe(text);
        // -0 becomes 0, and doubles print differently; the values are equal.
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it("prints equal numbers as equal text", () => {
    const decimal = fc.tuple(fc.bigInt(-(10n ** 30n), 10n ** 30n), fc.integer({ min: -40, max: 40 }));
    fc.assert(
      fc.property(decimal, fc.integer({ min: 0, max: 20 }), ([digits, exponent], zeros) => {
        const padded = `${digits}${"0".repeat(zeros)}e${exponent - zeros}`;
        expect(canonicalNumber(padded)).toBe(canonicalNumber(`${digits}e${exponent}`));
        expect(canonicalNumber(padded)).toMatch(/^-?(0|[1-9]\d*)(\.\d*[1-9])?$/);
        expect(Number(canonicalNumber(padded))).toBeCloseTo(Number(padded), 5);
      }),
    );
  });

  it.each(["1e131073", "1e-16384", "1e999999999999", "-1e-999999999999"])("refuses %s", (source) => {
    expect(() => canonicalize(parseExact(`[${source}]`))).toThrow(UncanonicalError);
  });

  it("refuses deep nesting instead of running out of stack", () => {
    for (const number of ["1", "1.5"]) {
      for (const depth of [1_001, 50_000]) {
        const text = "[".repeat(depth) + number + "]".repeat(depth);
        expect(() => canonicalize(parseExact(text))).toThrow(UncanonicalError);
      }
      const text = "[".repeat(1_000) + number + "]".repeat(1_000);
      expect(canonicalize(parseExact(text))).toBe(text);
    }
  });

  it.each([undefined, Number.NaN, Number.POSITIVE_INFINITY, () => 1, 1n])("refuses %s", (value) => {
    expect(() => canonicalize([value])).toThrow(UncanonicalError);
  });
});
