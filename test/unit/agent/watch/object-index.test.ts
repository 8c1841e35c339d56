import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PackedIndex } from "../../../../src/agent/watch/object-index.ts";
import type { PackedObject } from "../../../../src/agent/watch/packed-records.ts";
import { SnapshotBuilder } from "../../../../src/agent/watch/snapshot.ts";
import { compareKeys } from "../../../../src/domain/object-key.ts";
import { createSeededRandom } from "../../../../src/lib/random.ts";

const key = fc
  .tuple(
    fc.constantFrom("", "a", "a-b", "default"),
    fc.string({ unit: "binary", minLength: 1, maxLength: 4 }),
  )
  .map(
    ([namespace, name]) => `${namespace}/${name.replaceAll("/", "-").replaceAll(/[\ud800-\udfff]/g, "x")}`,
  );
const object: fc.Arbitrary<PackedObject> = fc.record({
  uid: fc.oneof(fc.uuid(), fc.constant(""), fc.string({ maxLength: 1_000, unit: "grapheme" })),
  resourceVersion: fc.oneof(fc.nat().map(String), fc.string({ maxLength: 1_000, unit: "grapheme" })),
  checksum: fc.option(fc.uint8Array({ minLength: 32, maxLength: 32 }), { nil: undefined }),
});

describe("PackedIndex", () => {
  it("does what a Map does", () => {
    const change = fc.tuple(key, fc.option(object, { nil: undefined }));
    fc.assert(
      fc.property(fc.array(change, { maxLength: 300 }), (changes) => {
        const index = new PackedIndex();
        const model = new Map<string, PackedObject>();
        for (const [k, value] of changes) {
          if (value === undefined) {
            expect(index.delete(k)).toBe(model.delete(k));
          } else {
            index.set(k, value);
            model.set(k, value);
          }
          expect(index.get(k)).toEqual(model.get(k));
        }
        expect(index.size).toBe(model.size);
        expect([...index.keys()].toSorted()).toEqual([...model.keys()].toSorted());
        for (const [k, value] of model) {
          expect(index.get(k)).toEqual(value);
        }
      }),
    );
  });

  it.each([0, 127, 128, 255, 256, 16_383, 16_384, 65_536, 600_000, 3_000_000])(
    "holds keys, uids and versions of %d bytes (R52)",
    (length) => {
      const index = new PackedIndex();
      const text = "x".repeat(length);
      const objects: readonly [string, PackedObject][] = [
        [`a/${text}`, { uid: "u", resourceVersion: "1", checksum: undefined }],
        ["a/uid", { uid: text, resourceVersion: "2", checksum: new Uint8Array(32).fill(1) }],
        ["a/version", { uid: "u", resourceVersion: text, checksum: undefined }],
        ["a/last", { uid: "u", resourceVersion: "3", checksum: new Uint8Array(32).fill(2) }],
      ];
      for (const [k, value] of objects) {
        index.set(k, value);
      }
      expect(objects.map(([k]) => index.get(k))).toEqual(objects.map(([, value]) => value));
      expect([...index.keys()].toSorted()).toEqual(objects.map(([k]) => k).toSorted());
    },
  );

  it("holds 100,000 objects in less than 15 MB, and stays there under churn", () => {
    const random = createSeededRandom(1);
    const index = new PackedIndex();
    const checksum = new Uint8Array(32).fill(7);
    const keyOf = (i: number): string => `namespace-${i % 200}/deployment-name-5d8f7c9b4-${i}`;
    for (let i = 0; i < 100_000; i++) {
      index.set(keyOf(i), {
        uid: random.uuid(),
        resourceVersion: String(1_000_000 + i),
        checksum: undefined,
      });
    }
    for (let i = 0; i < 300_000; i++) {
      const k = keyOf(Math.floor(random.float() * 100_000));
      if (random.float() < 0.3) {
        index.delete(k);
      } else {
        index.set(k, { uid: random.uuid(), resourceVersion: String(i * 1000), checksum });
      }
    }
    for (let i = 0; i < 100_000; i++) {
      index.set(keyOf(i), { uid: random.uuid(), resourceVersion: String(9_000_000 + i), checksum });
    }
    expect(index.size).toBe(100_000);
    // Between two copies the holes may grow to the size of what is held.
    expect(index.bytes).toBeLessThan(25_000_000);
    const fresh = new PackedIndex();
    for (const k of index.keys()) {
      fresh.set(k, index.get(k) as PackedObject);
    }
    expect(fresh.bytes).toBeLessThan(15_000_000);
  });
});

describe("KindSnapshot", () => {
  it("has each key once, in the order of namespace and name", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(key, object)), key, (objects, probe) => {
        const builder = new SnapshotBuilder();
        for (const [k, value] of objects) {
          builder.add(k, value);
        }
        builder.endList("", "7");
        const snapshot = builder.build();
        const expected = [...new Set(objects.map(([k]) => k))].toSorted(compareKeys);
        expect(Array.from({ length: snapshot.size }, (_, i) => snapshot.keyAt(i))).toEqual(expected);
        expect(snapshot.after(probe)).toBe(expected.filter((k) => compareKeys(k, probe) <= 0).length);
        expect(snapshot.find(probe)).toBe(expected.includes(probe) ? expected.indexOf(probe) : undefined);
      }),
    );
  });

  it("has the lowest version of its lists as floor, and each namespace its own", () => {
    const builder = new SnapshotBuilder();
    builder.endList("a", "100");
    builder.endList("b", "99");
    const snapshot = builder.build();
    expect(snapshot.lowestVersion).toBe("99");
    expect(snapshot.versionFor("a")).toBe("100");
    expect(snapshot.covers("c")).toBe(false);
  });

  it("has no versions when they do not compare", () => {
    const builder = new SnapshotBuilder();
    builder.endList("", "h:12");
    const snapshot = builder.build();
    expect([snapshot.isVersioned, snapshot.lowestVersion, snapshot.versionFor("a")]).toEqual([false, "", ""]);
  });
});
