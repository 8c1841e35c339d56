import { describe, expect, test } from "vitest";
import { ContentReads } from "../../../../src/store/postgres/content-reads.ts";

describe("reads of contents", () => {
  /** Begins a read for each account, and returns the indexes of those that have a place. */
  async function begin(reads: ContentReads, accounts: readonly string[]) {
    const begun: Disposable[] = [];
    const started: number[] = [];
    const { signal } = new AbortController();
    for (const [index, account] of accounts.entries()) {
      void reads.begin(signal, account).then((place) => {
        begun.push(place);
        started.push(index);
      });
    }
    const settle = async () => await new Promise((resolve) => setImmediate(resolve));
    await settle();
    return { begun, started, settle };
  }

  test("of one account are at most 2, so that they do not delay those of others (L21)", async () => {
    const { begun, started, settle } = await begin(new ContentReads(), ["a", "a", "a", "a", "b", "b", "b"]);
    expect(started).toEqual([0, 1, 4, 5]);
    begun[0]?.[Symbol.dispose]();
    await settle();
    expect(started).toEqual([0, 1, 4, 5, 2]);
  });

  test("of a process are at most 4 (L21)", async () => {
    const { begun, started, settle } = await begin(new ContentReads(), ["a", "a", "b", "b", "c", "d"]);
    expect(started).toEqual([0, 1, 2, 3]);
    begun[2]?.[Symbol.dispose]();
    begun[2]?.[Symbol.dispose]();
    await settle();
    expect(started).toEqual([0, 1, 2, 3, 4]);
  });

  test("that end while they wait take no place", async () => {
    const reads = new ContentReads();
    const { begun, started, settle } = await begin(reads, ["a", "a", "b", "b"]);
    const stop = new AbortController();
    const waiting = reads.begin(stop.signal, "a");
    stop.abort(new Error("left"));
    await expect(waiting).rejects.toThrow("left");
    begun[0]?.[Symbol.dispose]();
    void reads.begin(new AbortController().signal, "a").then(() => started.push(9));
    await settle();
    expect(started).toEqual([0, 1, 2, 3, 9]);
  });
});
