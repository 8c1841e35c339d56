import { describe, expect, it } from "vitest";
import { BoundedQueue } from "../../../src/lib/bounded-queue.ts";

const { signal } = new AbortController();

function queueOf(limits = { maxItems: 3, maxBytes: 10 }): BoundedQueue<string> {
  return new BoundedQueue(limits, (item) => item.length);
}

async function take(queue: BoundedQueue<string>, count: number): Promise<string[]> {
  const items: string[] = [];
  for await (const item of queue.take(signal)) {
    items.push(item);
    if (items.length === count) {
      break;
    }
  }
  return items;
}

describe("a bounded queue", () => {
  it("a queue yields items in the order of their arrival", async () => {
    const queue = queueOf();
    queue.offer("a");
    queue.offer("b");
    expect(await take(queue, 2)).toEqual(["a", "b"]);
    expect([queue.length, queue.bytes]).toEqual([0, 0]);
  });

  it("a queue refuses items above its limits of items and bytes", () => {
    const queue = queueOf();
    expect(["a", "b", "c", "d"].map((item) => queue.offer(item))).toEqual([true, true, true, false]);
    const heavy = queueOf();
    expect(["123456", "12345", "1234"].map((item) => heavy.offer(item))).toEqual([true, false, true]);
    expect(heavy.bytes).toBe(10);
  });

  it("an empty queue accepts one item of any size", () => {
    const queue = queueOf();
    expect(queue.offer("longer than all that fits")).toBe(true);
    expect(queue.offer("")).toBe(false);
  });

  it("a push waits for room", async () => {
    const queue = queueOf({ maxItems: 1, maxBytes: 10 });
    queue.offer("a");
    const pushed = queue.push(signal, "b");
    expect(await take(queue, 2)).toEqual(["a", "b"]);
    await pushed;
  });

  it("a queue loses and duplicates no item when several callers push at once", async () => {
    const queue = queueOf({ maxItems: 1, maxBytes: 10 });
    const pushing = ["a", "b", "c", "d", "e"].map((item) => queue.push(signal, item));
    expect((await take(queue, 5)).sort()).toEqual(["a", "b", "c", "d", "e"]);
    await Promise.all(pushing);
  });

  it("a push stops waiting when the signal aborts, and its item is not in the queue", async () => {
    const queue = queueOf({ maxItems: 1, maxBytes: 10 });
    queue.offer("a");
    const impatient = new AbortController();
    const pushed = queue.push(impatient.signal, "b");
    impatient.abort(new Error("enough"));
    await expect(pushed).rejects.toThrow("enough");
    expect(queue.length).toBe(1);
  });

  it("a new item resolves the wait of the consumer", async () => {
    const queue = queueOf();
    const taken = take(queue, 1);
    queue.offer("a");
    expect(await taken).toEqual(["a"]);
  });

  it("a closed queue yields its remaining items, then ends", async () => {
    const queue = queueOf();
    queue.offer("a");
    queue.close();
    expect(queue.offer("b")).toBe(false);
    expect(await take(queue, 9)).toEqual(["a"]);
  });

  it("a queue closed with an error yields its remaining items, then throws the error", async () => {
    const queue = queueOf();
    const seen: string[] = [];
    const reading = (async () => {
      for await (const item of queue.take(signal)) {
        seen.push(item);
      }
    })();
    queue.offer("a");
    queue.close(new Error("broken"));
    queue.close(new Error("again"));
    await expect(reading).rejects.toThrow("broken");
    expect(seen).toEqual(["a"]);
  });

  it("the close of a queue rejects waiting pushes", async () => {
    const queue = queueOf({ maxItems: 1, maxBytes: 10 });
    queue.offer("a");
    const [one, other] = [queue.push(signal, "b"), queue.push(signal, "c")];
    queue.close(new Error("broken"));
    await expect(one).rejects.toThrow("broken");
    await expect(other).rejects.toThrow("broken");
    const closed = queueOf();
    closed.close();
    await expect(closed.push(signal, "a")).rejects.toThrow("closed");
  });

  it("the iteration throws the signal's reason, also with items left", async () => {
    const queue = queueOf();
    const stop = new AbortController();
    queue.offer("a");
    queue.offer("b");
    const items = queue.take(stop.signal);
    await items.next();
    stop.abort(new Error("stop"));
    await expect(items.next()).rejects.toThrow("stop");
    expect(queue.length).toBe(1);
  });
});
