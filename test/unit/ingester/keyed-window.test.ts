import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createLanes, KeyedWindow } from "../../../src/ingester/keyed-window.ts";

const payload = (bytes: number): Uint8Array => new Uint8Array(bytes);

describe("what an ingester holds", () => {
  it("is enough when there are as many deliveries as allowed, or as many bytes", () => {
    const hold = new KeyedWindow({ maxItems: 2, maxItemsPerKey: 2, maxBytes: 100 });
    const first = hold.add("a", payload(10));
    expect(hold.isFull).toBe(false);
    hold.add("b", payload(10));
    expect(hold.isFull).toBe(true);
    first.release();
    expect(hold.isFull).toBe(false);
    const large = hold.add("b", payload(90));
    expect(hold.isFull).toBe(true);
    large.release();
    expect([hold.items, hold.bytes, hold.isFull]).toEqual([1, 10, false]);
  });

  it("counts no more of one key than its share", () => {
    const hold = new KeyedWindow({ maxItems: 3, maxItemsPerKey: 2, maxBytes: 1000 });
    const held = [1, 2, 3, 4, 5].map(() => hold.add("a", payload(1)));
    expect(hold.isFull).toBe(false);
    hold.add("b", payload(1));
    expect(hold.isFull).toBe(true);
    for (const one of held.slice(0, 3)) {
      one.release();
    }
    expect(hold.isFull).toBe(true);
    held[3]?.release();
    expect(hold.isFull).toBe(false);
  });

  it("forgets the newest payloads of a key that is stuck, never its first, and none of another", () => {
    const hold = new KeyedWindow({ maxItems: 10, maxItemsPerKey: 2, maxBytes: 50 });
    const stuck = [1, 2, 3, 4].map(() => hold.add("a", payload(10)));
    const other = hold.add("b", payload(10));
    expect(hold.isFull).toBe(true);
    hold.setStuck("a", true);
    expect(hold.isFull).toBe(false);
    expect(stuck.map((held) => held.payload?.byteLength)).toEqual([10, 10, 10, undefined]);
    const next = hold.add("a", payload(10));
    expect(next.payload).toBeUndefined();
    expect(other.payload?.byteLength).toBe(10);
    expect([hold.items, hold.bytes, hold.stuckKeys]).toEqual([6, 40, 1]);
  });

  it("moves while a key holds something and waits for nothing", () => {
    const hold = new KeyedWindow({ maxItems: 10, maxItemsPerKey: 2, maxBytes: 50 });
    expect(hold.isMoving).toBe(false);
    hold.add("a", payload(1));
    hold.setStuck("a", true);
    expect(hold.isMoving).toBe(false);
    const other = hold.add("b", payload(1));
    expect(hold.isMoving).toBe(true);
    other.release();
    expect(hold.isMoving).toBe(false);
  });

  it("wakes who waits for room", async () => {
    const hold = new KeyedWindow({ maxItems: 1, maxItemsPerKey: 1, maxBytes: 50 });
    const held = hold.add("a", payload(10));
    const changed = hold.changed();
    held.release();
    await changed;
    expect(hold.isFull).toBe(false);
  });

  it("is empty again after whatever was taken, shed and released", () => {
    const step = fc.record({ key: fc.constantFrom("a", "b", "c"), bytes: fc.nat(40), stuck: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const hold = new KeyedWindow({ maxItems: 10, maxItemsPerKey: 3, maxBytes: 100 });
        const held = steps.map(({ key, bytes, stuck }) => {
          const one = hold.add(key, payload(bytes));
          hold.setStuck(key, stuck);
          return one;
        });
        const bytes = held.reduce((sum, one) => sum + (one.payload?.byteLength ?? 0), 0);
        expect([hold.items, hold.bytes]).toEqual([steps.length, bytes]);
        for (const one of held) {
          one.release();
        }
        expect([hold.items, hold.bytes, hold.isFull, hold.stuckKeys]).toEqual([0, 0, false, 0]);
      }),
    );
  });
});

describe("lanes", () => {
  it("keep the order within a key, and do not wait between keys", async () => {
    const lanes = createLanes();
    const done: string[] = [];
    const gate = Promise.withResolvers<void>();
    lanes.add("a", async () => {
      await gate.promise;
      done.push("a1");
    });
    lanes.add("a", async () => void done.push("a2"));
    lanes.add("b", async () => void done.push("b1"));
    await new Promise(setImmediate);
    expect(done).toEqual(["b1"]);
    gate.resolve();
    await lanes.idle();
    expect(done).toEqual(["b1", "a1", "a2"]);
  });

  it("are idle when nothing was added, and wait for what is added while they wait", async () => {
    const lanes = createLanes();
    await lanes.idle();
    const done: string[] = [];
    lanes.add("a", async () => {
      lanes.add("a", async () => {
        await new Promise(setImmediate);
        done.push("later");
      });
    });
    await lanes.idle();
    expect(done).toEqual(["later"]);
  });
});
