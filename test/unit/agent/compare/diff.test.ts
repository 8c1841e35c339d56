import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { diff, type ListedObject, type StoredObject } from "../../../../src/agent/compare/diff.ts";
import { compareKeys } from "../../../../src/domain/object-key.ts";

const sum = (n: number): Uint8Array => new Uint8Array(32).fill(n);
const options = {
  managed: new Set<string>(),
  contentFormat: "f",
  isSameIncarnation: true,
  isInDoubt: () => false,
};
const listed: ListedObject = { key: "a/x", uid: "u", resourceVersion: "1", checksum: sum(1) };
const stored: StoredObject = {
  key: "a/x",
  uid: "u",
  resourceVersion: "1",
  checksum: sum(1),
  contentFormat: "f",
};

function resources(l: readonly ListedObject[], h: readonly StoredObject[], more = {}): string[] {
  return [...diff(l, h, { ...options, ...more })].map(({ type }) => type);
}

describe("diff of one object", () => {
  it.each<[string, string, Partial<ListedObject>, Partial<StoredObject>, object]>([
    ["the same", "equal", {}, {}, {}],
    ["metadata only", "equal", { checksum: undefined }, {}, {}],
    ["another version", "changed", {}, { resourceVersion: "2" }, {}],
    ["R3: another uid", "changed", {}, { uid: "v" }, {}],
    ["another checksum", "changed", {}, { checksum: sum(2) }, {}],
    ["a row edited by hand", "changed", { checksum: undefined }, { checksum: new Uint8Array() }, {}],
    ["R53: both without a version", "changed", { resourceVersion: "" }, { resourceVersion: "" }, {}],
    ["another content format", "changed", {}, { contentFormat: "g" }, {}],
    ["R16: another incarnation", "changed", {}, {}, { isSameIncarnation: false }],
    ["R16: a version in doubt", "changed", {}, {}, { isInDoubt: () => true }],
  ])("%s: %s", (_name, expected, l, h, more) => {
    expect(resources([{ ...listed, ...l }], [{ ...stored, ...h }], more)).toEqual([expected]);
  });

  it("leaves out what is managed, on both sides", () => {
    expect(resources([listed], [], { managed: new Set(["a/x"]) })).toEqual([]);
    expect(resources([], [stored], { managed: new Set(["a/x"]) })).toEqual([]);
  });

  it("refuses an inventory that is out of order", () => {
    expect(() => resources([], [stored, { ...stored, key: "a/b" }])).toThrow("expected keys in order");
    expect(() => resources([], [stored, stored])).toThrow("expected keys in order");
  });
});

describe("diff of two sorted sets", () => {
  const keys = fc.uniqueArray(fc.constantFrom("/a", "a/x", "a-b/x", "a/y", "b/x", "c/z", "é/x"));
  it("finds what each side lacks", () => {
    fc.assert(
      fc.property(keys, keys, (storedKeys, listedKeys) => {
        const l = listedKeys.toSorted(compareKeys).map((key) => ({ ...listed, key }));
        const h = storedKeys.toSorted(compareKeys).map((key) => ({ ...stored, key }));
        const found = [...diff(l, h, options)].map((entry) =>
          entry.type === "objectMissing" ? `- ${entry.stored.key}` : `${entry.type} ${l[entry.at]?.key}`,
        );
        const expected = [
          ...storedKeys.filter((key) => !listedKeys.includes(key)).map((key) => `- ${key}`),
          ...listedKeys.map((key) => `${storedKeys.includes(key) ? "equal" : "rowMissing"} ${key}`),
        ];
        expect(found.toSorted()).toEqual(expected.toSorted());
      }),
    );
  });
});
