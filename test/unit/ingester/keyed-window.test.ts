import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KeyedWindow, type WindowLimits } from "../../../src/ingester/keyed-window.ts";
import { NEVER } from "../../../src/lib/abort.ts";

/** A window whose deliveries the test processes, with the payloads that their work received. */
class TestWindow extends KeyedWindow {
  readonly received = new Map<string, number | undefined>();
  readonly #ends = new Map<string, () => void>();

  /** Adds a delivery of a size under a name. */
  put(key: string, name: string, bytes: number): void {
    const end = Promise.withResolvers<void>();
    this.#ends.set(name, end.resolve);
    this.add(key, new Uint8Array(bytes), async (payload) => {
      this.received.set(name, payload?.byteLength);
      await end.promise;
    });
  }

  /** Ends the work of deliveries. */
  async end(...names: readonly string[]): Promise<void> {
    for (const name of names) {
      this.#ends.get(name)?.();
    }
    await new Promise(setImmediate);
  }
}

function createWindow(limits: Partial<WindowLimits>): TestWindow {
  return new TestWindow({ maxItems: 10, maxItemsPerKey: 10, maxBytes: 1_000, ...limits });
}

describe("KeyedWindow", () => {
  it("is full at its limit of deliveries, or of bytes", async () => {
    const window = createWindow({ maxItems: 2, maxBytes: 100 });
    window.put("a", "a1", 10);
    expect(window.isFull).toBe(false);
    window.put("b", "b1", 10);
    expect(window.isFull).toBe(true);
    await window.end("a1");
    expect(window.isFull).toBe(false);
    window.put("a", "a2", 90);
    expect(window.isFull).toBe(true);
    await window.end("a2");
    expect([window.items, window.bytes, window.isFull]).toEqual([1, 10, false]);
  });

  it("counts at most the share of one key", async () => {
    const window = createWindow({ maxItems: 3, maxItemsPerKey: 2 });
    for (const name of ["a1", "a2", "a3", "a4", "a5"]) {
      window.put("a", name, 1);
    }
    expect(window.isFull).toBe(false);
    window.put("b", "b1", 1);
    expect(window.isFull).toBe(true);
    await window.end("a1", "a2", "a3");
    expect(window.isFull).toBe(true);
    await window.end("a4");
    expect(window.isFull).toBe(false);
  });

  it("evicts the newest payloads of a blocked key, never its first ones, and none of another key", async () => {
    const window = createWindow({ maxItemsPerKey: 2, maxBytes: 50 });
    const names = ["a1", "a2", "a3", "a4"];
    for (const name of names) {
      window.put("a", name, 10);
    }
    window.put("b", "b1", 10);
    expect(window.isFull).toBe(true);
    window.setBlocked("a", true);
    expect(window.isFull).toBe(false);
    window.put("a", "a5", 10);
    expect([window.items, window.bytes, window.blockedKeys]).toEqual([6, 40, 1]);
    await window.end(...names, "a5", "b1");
    expect([...names, "a5", "b1"].map((name) => window.received.get(name))).toEqual([
      10,
      10,
      10,
      undefined,
      undefined,
      10,
    ]);
  });

  it("is idle when only blocked keys have deliveries", async () => {
    const window = createWindow({});
    await window.waitUntilIdle(NEVER);
    window.put("a", "a1", 1);
    window.setBlocked("a", true);
    await window.waitUntilIdle(NEVER);
    window.put("b", "b1", 1);
    let isIdle = false;
    const idle = window.waitUntilIdle(NEVER).then(() => {
      isIdle = true;
    });
    await new Promise(setImmediate);
    expect(isIdle).toBe(false);
    await window.end("b1");
    await idle;
  });

  it("resumes a caller that waits for room", async () => {
    const window = createWindow({ maxItems: 1 });
    window.put("a", "a1", 10);
    const room = window.waitForRoom(NEVER);
    await window.end("a1");
    await room;
    expect(window.isFull).toBe(false);
  });

  it("keeps the order within a key, and processes keys in parallel", async () => {
    const window = createWindow({});
    window.put("a", "a1", 1);
    window.put("a", "a2", 1);
    window.put("b", "b1", 1);
    await window.end("b1", "a2");
    expect([...window.received.keys()]).toEqual(["a1", "b1"]);
    await window.end("a1");
    expect([...window.received.keys()]).toEqual(["a1", "b1", "a2"]);
    await window.waitUntilEmpty(NEVER);
  });

  it("is empty only after deliveries that were added meanwhile are processed", async () => {
    const window = createWindow({});
    await window.waitUntilEmpty(NEVER);
    const done: string[] = [];
    window.add("a", new Uint8Array(), async () => {
      window.add("a", new Uint8Array(), async () => {
        await new Promise(setImmediate);
        done.push("later");
      });
    });
    await window.waitUntilEmpty(NEVER);
    expect(done).toEqual(["later"]);
  });

  it("counts zero after any deliveries were added, evicted and processed", async () => {
    const step = fc.record({
      key: fc.constantFrom("a", "b", "c"),
      bytes: fc.nat(40),
      isBlocked: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const window = createWindow({ maxItemsPerKey: 3, maxBytes: 100 });
        const names = steps.map(({ key, bytes, isBlocked }, i) => {
          window.put(key, String(i), bytes);
          window.setBlocked(key, isBlocked);
          return String(i);
        });
        const { bytes } = window;
        expect(window.items).toBe(steps.length);
        await window.end(...names);
        const received = names.reduce((sum, name) => sum + (window.received.get(name) ?? 0), 0);
        expect(received).toBe(bytes);
        expect([window.items, window.bytes, window.isFull, window.blockedKeys]).toEqual([0, 0, false, 0]);
      }),
    );
  });
});
