import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareKeyBytes, compareKeys, formatKey, parseKey } from "../../../src/domain/object-key.ts";

const part = (minLength: number) =>
  fc.string({ unit: "binary", minLength, maxLength: 8 }).map((text) => text.replaceAll("/", "-"));
const key = fc.record({ namespace: part(0), name: part(1) });

describe("object keys", () => {
  it("are equal after formatting and parsing", () => {
    fc.assert(
      fc.property(key, (k) => {
        expect(parseKey(formatKey(k))).toEqual(k);
      }),
    );
  });

  it.each(["", "a", "a/", "a/b/c", "//"])("refuse the text %j", (text) => {
    expect(parseKey(text)).toBeUndefined();
  });

  it("compare by the bytes of the namespace, then of the name", () => {
    fc.assert(
      fc.property(key, key, (a, b) => {
        const expected =
          Buffer.compare(Buffer.from(a.namespace), Buffer.from(b.namespace)) ||
          Buffer.compare(Buffer.from(a.name), Buffer.from(b.name));
        const [x, y] = [formatKey(a), formatKey(b)];
        expect(Math.sign(compareKeys(x, y))).toBe(expected);
        expect(Math.sign(compareKeyBytes(Buffer.from(x), Buffer.from(y)))).toBe(expected);
      }),
    );
  });

  it("do not compare as joined texts", () => {
    expect(compareKeys("a/x", "a-b/x")).toBeLessThan(0);
    expect(compareKeys("/x", "a/x")).toBeLessThan(0);
  });
});
