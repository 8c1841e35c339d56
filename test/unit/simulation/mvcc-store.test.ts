import { describe, expect, it } from "vitest";
import { CompactedError, FutureRevisionError, MvccStore } from "../../../src/simulation/mvcc-store.ts";
import { drawIndex } from "../../../src/simulation/random-pick.ts";
import { withSeed } from "../../support/vitest/seeded.ts";

describe("MvccStore", () => {
  it("numbers the writes of all keys with one counter", () => {
    const store = new MvccStore<string>();
    expect(store.revision).toBe(1);
    expect(store.write("pods", "a/x", "1").revision).toBe(2);
    expect(store.write("nodes", "n", "1").revision).toBe(3);
    expect(store.write("pods", "a/x", undefined)).toEqual({
      revision: 4,
      prefix: "pods",
      key: "a/x",
      value: undefined,
      previous: "1",
    });
  });

  it("orders keys by their UTF-8 bytes", () => {
    const store = new MvccStore<number>();
    for (const key of ["a/x", "a-b/x", "\u{1f600}", "\u{ffff}", "a"]) {
      store.write("p", key, 1);
    }
    // In UTF-16 the last two have the reverse order.
    expect(store.list("p").map(({ key }) => key)).toEqual(["a", "a-b/x", "a/x", "\u{ffff}", "\u{1f600}"]);
  });

  it("returns every revision unchanged, also between compactions", async () => {
    const name = "returns every revision unchanged, also between compactions";
    await withSeed(name, (random) => {
      const store = new MvccStore<number>();
      const history = new Map<number, Record<string, number>>([[1, {}]]);
      const present: Record<string, number> = {};
      for (let step = 0; step < 500; step += 1) {
        const key = `k${drawIndex(random, 20)}`;
        const value = random.float() < 0.3 ? undefined : step;
        if (value === undefined) {
          delete present[key];
        } else {
          present[key] = value;
        }
        history.set(store.write("p", key, value).revision, { ...present });
        if (random.float() < 0.02) {
          store.compact(store.revision - drawIndex(random, 10));
        }
      }
      for (const [revision, expected] of history) {
        if (revision < store.compactedRevision) {
          expect(() => store.list("p", revision)).toThrow(CompactedError);
        } else {
          const entries = store.list("p", revision).map(({ key, value }) => [key, value]);
          expect(Object.fromEntries(entries)).toEqual(expected);
        }
      }
    });
  });

  it("refuses compacted and future revisions", () => {
    const store = new MvccStore<string>();
    store.write("p", "a", "1");
    store.write("p", "a", "2");
    store.compact(2);
    expect(store.get("p", "a", 2)?.value).toBe("1");
    expect(store.eventsAfter("p", 2).map(({ value }) => value)).toEqual(["2"]);
    expect(() => store.list("p", 1)).toThrow(CompactedError);
    expect(() => store.eventsAfter("p", 1)).toThrow(CompactedError);
    expect(() => store.list("p", 4)).toThrow(FutureRevisionError);
    expect(store.eventsAfter("p", 4)).toEqual([]);
  });

  it("restores a revision and assigns the later numbers again", () => {
    const store = new MvccStore<string>();
    store.write("p", "a", "1");
    store.write("p", "a", "2");
    store.write("p", "b", "1");
    store.restore(2);
    expect(store.list("p")).toEqual([{ key: "a", value: "1", modRevision: 2 }]);
    expect(store.write("p", "c", "1").revision).toBe(3);
    expect(store.eventsAfter("p", 2).map(({ key }) => key)).toEqual(["c"]);
  });
});
