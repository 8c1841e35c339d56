import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  KeyedWindow,
  NotRedeliveredError,
  REDELIVERY_MS,
  type WindowLimits,
} from "../../../src/ingester/keyed-window.ts";
import { NEVER } from "../../../src/lib/abort.ts";
import { ManualClock } from "../../support/manual-clock.ts";

/** A window over a bus whose redeliveries the test makes, with works that the test ends. */
class TestWindow {
  readonly clock = new ManualClock();
  readonly window: KeyedWindow;
  /** Names of the deliveries whose work has its payload, in the order in which it got it. */
  readonly loaded: string[] = [];
  /** Names of the deliveries that were given back, in this order. */
  readonly givenBack: string[] = [];
  /** Names of the deliveries that did not arrive again. */
  readonly lost: string[] = [];
  readonly #messages = new Map<string, { readonly key: string; readonly bytes: number }>();
  readonly #ends = new Map<string, PromiseWithResolvers<"done" | "fail">>();

  constructor(limits: Partial<WindowLimits> = {}) {
    const defaults = { maxItems: 100, maxBytes: 1_000, maxItemsPerKey: 50, maxBytesPerKey: 500 };
    this.window = new KeyedWindow({
      canDefer: true,
      limits: { ...defaults, ...limits },
      clock: this.clock,
      bytesOf: ({ byteLength }) => byteLength,
    });
  }

  /** Adds a delivery under a name that begins with its key, such as "a1". */
  put(name: string, bytes = 10): void {
    this.#messages.set(name, { key: name.slice(0, 1), bytes });
    this.deliver(name);
  }

  /** Delivers a message, or delivers it again. */
  deliver(name: string): void {
    const { key, bytes } = this.#messages.get(name) ?? { key: "", bytes: 0 };
    const delivery = {
      ...{ key, messageId: name, payload: new Uint8Array(bytes), properties: {}, redeliveryCount: 0 },
      acknowledge: async () => {},
      redeliver: async () => {
        this.givenBack.push(name);
      },
    };
    this.window.add(delivery, async (item) => {
      for (;;) {
        try {
          await item.load(NEVER);
        } catch (error) {
          expect(error).toBeInstanceOf(NotRedeliveredError);
          this.lost.push(item.messageId);
          return;
        }
        this.loaded.push(item.messageId);
        if ((await this.#endOf(item.messageId).promise) === "done") {
          this.window.setBlocked(key, false);
          return;
        }
        this.#ends.delete(item.messageId);
        this.window.setBlocked(key, true);
        await this.#endOf(`retry ${key}`).promise;
        this.#ends.delete(`retry ${key}`);
      }
    });
  }

  /** Delivers what was given back since the last call. */
  async redeliver(): Promise<void> {
    for (const name of this.givenBack.splice(0)) {
      this.deliver(name);
    }
    await this.clock.advance(0);
  }

  /** Ends works. */
  async end(...names: readonly string[]): Promise<void> {
    for (const name of names) {
      this.#endOf(name).resolve("done");
      await this.clock.advance(0);
    }
  }

  /** Lets the attempt of a delivery fail, so that its key waits. */
  async fail(name: string): Promise<void> {
    this.#endOf(name).resolve("fail");
    await this.clock.advance(0);
  }

  /** Starts the next attempt of a key that waits. */
  async retry(key: string): Promise<void> {
    await this.end(`retry ${key}`);
  }

  #endOf(name: string): PromiseWithResolvers<"done" | "fail"> {
    const end = this.#ends.get(name) ?? Promise.withResolvers<"done" | "fail">();
    this.#ends.set(name, end);
    return end;
  }
}

const names = (key: string, from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => `${key}${from + index}`);

describe("KeyedWindow", () => {
  let test: TestWindow;
  const create = (limits?: Partial<WindowLimits>): void => {
    test = new TestWindow(limits);
  };
  beforeEach(() => create());
  afterEach(() => expect(test.clock.pending).toBe(0));

  it("is full at its limit of deliveries, or of bytes", async () => {
    create({ maxItems: 2, maxBytes: 100 });
    test.put("a1");
    expect(test.window.isFull).toBe(false);
    test.put("b1");
    expect(test.window.isFull).toBe(true);
    await test.end("a1");
    expect(test.window.isFull).toBe(false);
    test.put("a2", 90);
    expect(test.window.isFull).toBe(true);
    await test.end("a2");
    expect([test.window.items, test.window.bytes, test.window.isFull]).toEqual([1, 10, false]);
  });

  it("L11: holds no more of a key than its share of deliveries, and leaves the others with the bus", async () => {
    create({ maxItemsPerKey: 3 });
    for (const name of names("a", 1, 7)) {
      test.put(name);
    }
    test.put("b1");
    await test.clock.advance(0);
    expect([test.window.items, test.window.bytes, test.window.deferredItems]).toEqual([8, 40, 4]);
    expect(test.loaded).toEqual(["a1", "b1"]);
    expect(test.givenBack).toEqual([]);
  });

  it("L11: holds no more of a key than its share of bytes and one delivery", async () => {
    create({ maxBytesPerKey: 100 });
    test.put("a1", 60);
    test.put("a2", 60);
    test.put("a3", 60);
    await test.clock.advance(0);
    expect([test.window.bytes, test.window.deferredItems]).toEqual([120, 1]);
    await test.end("a1", "a2");
    expect(test.givenBack).toEqual(["a3"]);
    await test.redeliver();
    await test.end("a3");
    expect(test.window.items).toBe(0);
  });

  it("L11: requests deferred deliveries in order when half of the share is free, and counts them", async () => {
    create({ maxItemsPerKey: 4 });
    for (const name of names("a", 1, 10)) {
      test.put(name);
    }
    await test.end("a1");
    expect(test.givenBack).toEqual([]);
    await test.end("a2");
    expect(test.givenBack).toEqual(["a5", "a6"]);
    expect([test.window.bytes, test.window.deferredItems]).toEqual([40, 4]);
    await test.redeliver();
    await test.end("a3", "a4", "a5");
    test.put("a11");
    await test.redeliver();
    await test.end("a6", "a7", "a8");
    await test.redeliver();
    await test.end("a9");
    await test.redeliver();
    await test.end("a10", "a11");
    expect(test.loaded).toEqual(names("a", 1, 11));
    expect([test.window.items, test.window.bytes, test.window.deferredItems]).toEqual([0, 0, 0]);
  });

  it("L11: the order is that of the first arrival, whatever the order of the redeliveries", async () => {
    create({ maxItemsPerKey: 3 });
    for (const name of names("a", 1, 6)) {
      test.put(name);
    }
    await test.end("a1", "a2", "a3");
    for (const name of test.givenBack.splice(0).reverse()) {
      test.deliver(name);
    }
    await test.end(...names("a", 4, 6));
    await test.redeliver();
    await test.end(...names("a", 4, 6));
    await test.redeliver();
    expect(test.loaded).toEqual(names("a", 1, 6));
  });

  it("L11: a key that waits for an attempt holds its first delivery only, and receives the others again", async () => {
    for (const name of names("a", 1, 4)) {
      test.put(name);
    }
    await test.fail("a1");
    test.put("a5");
    expect([test.window.items, test.window.bytes, test.window.blockedKeys]).toEqual([5, 10, 1]);
    await test.retry("a");
    expect(test.givenBack).toEqual([]);
    await test.end("a1");
    expect(test.givenBack).toEqual(names("a", 2, 5));
    await test.redeliver();
    await test.end(...names("a", 2, 5));
    expect(test.loaded).toEqual(["a1", ...names("a", 1, 5)]);
    expect([test.window.items, test.window.bytes, test.window.blockedKeys]).toEqual([0, 0, 0]);
  });

  it("L11: any number of keys that wait leaves room: in a full window they defer their first deliveries too", async () => {
    create({ maxItems: 4, maxBytes: 40 });
    for (const key of ["a", "b", "c", "d", "e", "f"]) {
      test.put(`${key}1`);
      await test.clock.advance(0);
      await test.fail(`${key}1`);
    }
    expect(test.window.isFull).toBe(false);
    test.put("g1");
    await test.end("g1");
    expect(test.loaded.at(-1)).toBe("g1");
    await test.retry("a");
    expect(test.givenBack).toEqual(["a1"]);
    await test.redeliver();
    await test.end("a1");
    expect(test.window.blockedKeys).toBe(5);
  });

  it("L11: a delivery that was requested arrives although the window is full", async () => {
    create({ maxItems: 3, maxItemsPerKey: 2 });
    for (const name of names("a", 1, 4)) {
      test.put(name);
    }
    await test.end("a1");
    expect(test.givenBack).toEqual(["a3"]);
    test.put("b1");
    expect(test.window.isFull).toBe(true);
    await test.window.waitForRoom(NEVER);
    test.put("c1");
    expect(test.window.deferredItems).toBe(2);
    await test.redeliver();
    let hasRoom = false;
    const room = test.window.waitForRoom(NEVER).then(() => {
      hasRoom = true;
    });
    await test.clock.advance(0);
    expect(hasRoom).toBe(false);
    await test.end("b1");
    await room;
    expect(test.givenBack).toEqual(["c1"]);
    await test.redeliver();
    await test.end("c1", "a2", "a3");
    await test.redeliver();
    await test.end("a4");
    expect(test.window.items).toBe(0);
  });

  it("L11: the work of a requested delivery that does not arrive fails after a time", async () => {
    create({ maxItemsPerKey: 3 });
    for (const name of names("a", 1, 4)) {
      test.put(name);
    }
    await test.end("a1", "a2", "a3");
    expect(test.givenBack).toEqual(["a4"]);
    await test.clock.advance(REDELIVERY_MS - 1);
    expect(test.lost).toEqual([]);
    await test.clock.advance(1);
    expect(test.lost).toEqual(["a4"]);
  });

  it("forgets what is not in memory when its consumer leaves, and processes what is", async () => {
    create({ maxItemsPerKey: 2 });
    for (const name of names("a", 1, 5)) {
      test.put(name);
    }
    test.window.leave();
    await test.end("a1", "a2");
    await test.window.waitUntilEmpty(NEVER);
    expect([test.loaded, test.givenBack]).toEqual([["a1", "a2"], []]);
  });

  it("is idle when only blocked keys have deliveries", async () => {
    await test.window.waitUntilIdle(NEVER);
    test.put("a1");
    await test.fail("a1");
    await test.window.waitUntilIdle(NEVER);
    test.put("b1");
    let isIdle = false;
    const idle = test.window.waitUntilIdle(NEVER).then(() => {
      isIdle = true;
    });
    await test.clock.advance(0);
    expect(isIdle).toBe(false);
    await test.end("b1");
    await idle;
  });

  it("keeps the order within a key, and processes keys in parallel", async () => {
    test.put("a1");
    test.put("a2");
    test.put("b1");
    await test.end("b1", "a2");
    expect(test.loaded).toEqual(["a1", "b1"]);
    await test.end("a1");
    expect(test.loaded).toEqual(["a1", "b1", "a2"]);
    await test.window.waitUntilEmpty(NEVER);
  });

  it("L11: processes every delivery once and in order, and counts zero, whatever fails", async () => {
    const step = fc.record({
      key: fc.constantFrom("a", "b", "c"),
      bytes: fc.nat(40),
      action: fc.constantFrom("put", "put", "end", "fail", "retry", "redeliver", "reverse"),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
        create({ maxItems: 6, maxBytes: 100, maxItemsPerKey: 3, maxBytesPerKey: 50 });
        const counts = new Map<string, number>();
        for (const { key, bytes, action } of steps) {
          const last = test.loaded.findLast((name) => name.startsWith(key)) ?? "";
          switch (action) {
            case "put":
              counts.set(key, (counts.get(key) ?? 0) + 1);
              test.put(`${key}${counts.get(key)}`, bytes);
              break;
            case "end":
              await test.end(last);
              break;
            case "fail":
              await test.fail(last);
              break;
            case "retry":
              await test.retry(key);
              break;
            case "reverse":
              test.givenBack.reverse();
              break;
            default:
              await test.redeliver();
          }
          expect(test.window.bytes).toBeLessThanOrEqual(100 + 40);
        }
        for (let round = 0; test.window.items > 0 && round < 500; round++) {
          for (const key of counts.keys()) {
            await test.retry(key);
            await test.end(test.loaded.findLast((name) => name.startsWith(key)) ?? "");
          }
          await test.redeliver();
        }
        const { items, bytes, deferredItems, isFull, blockedKeys } = test.window;
        expect([items, bytes, deferredItems, isFull, blockedKeys]).toEqual([0, 0, 0, false, 0]);
        for (const [key, count] of counts) {
          const done = [...new Set(test.loaded.filter((name) => name.startsWith(key)))];
          expect(done).toEqual(names(key, 1, count));
        }
        expect(test.clock.pending).toBe(0);
      }),
    );
  });
});
