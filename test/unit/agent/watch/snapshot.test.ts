import { describe, expect, it } from "vitest";
import type { PackedObject } from "../../../../src/agent/watch/packed-records.ts";
import { SnapshotBuilder } from "../../../../src/agent/watch/snapshot.ts";

const object = (init: Partial<PackedObject> = {}): PackedObject => ({
  ...{ uid: "u", resourceVersion: "1", checksum: undefined },
  ...init,
});

/** Builds a snapshot of one list of all namespaces. */
function snapshotOf(objects: readonly (readonly [string, PackedObject])[], version = "7") {
  const builder = new SnapshotBuilder();
  for (const [key, value] of objects) {
    builder.add(key, value);
  }
  builder.endList("", version);
  return builder.build();
}

describe("a snapshot (R17)", () => {
  it.each<[string, readonly PackedObject[], string, boolean]>([
    ["with a number as its version", [object()], "7", true],
    ["without objects", [], "7", true],
    ["with one odd object among others", [object({ uid: "", resourceVersion: "" }), object()], "7", true],
    ["whose version is no number", [object()], "h:12", false],
    ["without a version", [object()], "", false],
    ["whose objects have no versions", [object({ resourceVersion: "" })], "7", false],
    ["whose objects have no uids", [object({ uid: "" })], "7", false],
  ])("%s is ordered by versions or not", (_, objects, version, isVersioned) => {
    const snapshot = snapshotOf(
      objects.map((each, index) => [`a/${index}`, each]),
      version,
    );
    expect(snapshot.isVersioned).toBe(isVersioned);
    expect([snapshot.lowestVersion, snapshot.versionFor("a")]).toEqual(isVersioned ? ["7", "7"] : ["", ""]);
  });

  it("of several namespaces is ordered by versions only if each list is", () => {
    const builder = new SnapshotBuilder();
    builder.endList("a", "100");
    builder.endList("b", "");
    expect(builder.build().isVersioned).toBe(false);
  });
});

describe("the objects of a snapshot", () => {
  it("are found by key and by index", () => {
    const snapshot = snapshotOf([
      ["b/x", object({ resourceVersion: "2" })],
      ["a/x", object()],
      ["/cluster-scoped", object({ resourceVersion: "3" })],
    ]);
    expect(snapshot.size).toBe(3);
    expect(snapshot.bytes).toBeGreaterThan(3 * 4);
    expect([0, 1, 2].map((index) => snapshot.objectKeyAt(index))).toEqual([
      { namespace: "", name: "cluster-scoped" },
      { namespace: "a", name: "x" },
      { namespace: "b", name: "x" },
    ]);
    expect(snapshot.at(snapshot.find("b/x") ?? -1).resourceVersion).toBe("2");
    expect(["a/w", "c/x", ""].map((key) => snapshot.find(key))).toEqual([undefined, undefined, undefined]);
    expect(["", "a/w", "a/x", "b/x", "c/x"].map((key) => snapshot.after(key))).toEqual([0, 1, 2, 3, 3]);
    expect(() => snapshot.keyAt(3)).toThrow("expected an index below 3, found 3");
  });

  it("without a key are no objects", () => {
    expect(() => snapshotOf([["x", object()]]).objectKeyAt(0)).toThrow('expected a key, found "x"');
  });

  it("count once if two pages have them, in the state of one of them", () => {
    const snapshot = snapshotOf([
      ["a/x", object()],
      ["a/y", object()],
      ["a/x", object()],
    ]);
    expect([0, 1].map((index) => snapshot.keyAt(index))).toEqual(["a/x", "a/y"]);
    expect(snapshot.size).toBe(2);
  });
});

it("objects that no row can hold are counted, and the first ten are named", () => {
  const builder = new SnapshotBuilder();
  const keys = Array.from({ length: 12 }, (_, index) => `odd ${index}`);
  for (const key of keys) {
    builder.skip(key);
  }
  builder.endList("", "7");
  const { unrepresentable, size, namespaces } = builder.build();
  expect(unrepresentable).toEqual({ count: 12, examples: keys.slice(0, 10) });
  expect([size, namespaces]).toEqual([0, [""]]);
});

it("a list covers its own namespace, and the list of all namespaces covers each", () => {
  const builder = new SnapshotBuilder();
  builder.endList("a", "100");
  const own = builder.build();
  expect(["a", "b", ""].map((namespace) => own.covers(namespace))).toEqual([true, false, false]);
  expect(["a", "b"].map((namespace) => own.versionFor(namespace))).toEqual(["100", ""]);
  expect(snapshotOf([]).covers("b")).toBe(true);
});
