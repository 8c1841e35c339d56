import { describe, expect, it } from "vitest";
import { MemoryBudget } from "../../../src/lib/memory-budget.ts";
import { withSeed } from "../../support/vitest/seeded.ts";

const { signal } = new AbortController();

/** Takes without waiting for it. Returns whether the bytes were given so far. */
function begin(budget: MemoryBudget, account: string, bytes: number, until = signal): () => boolean {
  let isGiven = false;
  budget
    .of(account)
    .take(until, bytes)
    .then(
      () => {
        isGiven = true;
      },
      () => {},
    );
  return () => isGiven;
}

const turn = (): Promise<void> => new Promise(setImmediate);

describe("a memory budget (L35)", () => {
  it("gives an account three quarters, and leaves room for others whatever accounts hold", async () => {
    const budget = new MemoryBudget(900);
    const given = Array.from({ length: 9 }, () => begin(budget, "a", 100));
    await turn();
    expect(given.filter((isGiven) => isGiven())).toHaveLength(6);
    const others = ["b", "c", "d"].map((name) => begin(budget, name, 80));
    await turn();
    expect(others.every((isGiven) => isGiven())).toBe(true);
    expect(budget.bytes).toBe(840);
    expect(budget.of("a").room).toBe(0);
    expect(budget.of("e").room).toBe(45);
  });

  it("gives the calls of an account what is released, in their order", async () => {
    const budget = new MemoryBudget(300);
    const account = budget.of("a");
    await account.take(signal, 200);
    const [large, small] = [begin(budget, "a", 150), begin(budget, "a", 10)];
    await turn();
    expect([large(), small()]).toEqual([false, false]);
    account.release(100);
    await turn();
    // The small one would fit, and a stream of small ones would then delay the large one for ever.
    expect([large(), small()]).toEqual([false, false]);
    account.release(100);
    await turn();
    expect([large(), small()]).toEqual([true, true]);
  });

  it("gives one item of any size to an account that holds nothing, before the accounts behind it", async () => {
    const budget = new MemoryBudget(100);
    budget.of("a").hold(60);
    const large = begin(budget, "b", 90);
    const behind = begin(budget, "c", 5);
    await turn();
    expect([large(), behind()]).toEqual([false, false]);
    budget.of("a").release(60);
    await turn();
    expect([large(), behind()]).toEqual([true, true]);
    const empty = new MemoryBudget(100);
    await empty.of("a").take(signal, 1_000);
    expect(empty.of("b").room).toBe(0);
  });

  it("does not give to a call that has given up, nor lose what was given in that moment", async () => {
    const budget = new MemoryBudget(100);
    budget.of("a").hold(60);
    const stop = new AbortController();
    const [first, second] = [begin(budget, "b", 90, stop.signal), begin(budget, "c", 5)];
    await turn();
    stop.abort(new Error("stop"));
    await turn();
    expect([first(), second()]).toEqual([false, true]);
    const late = new AbortController();
    const taken = expect(budget.of("d").take(late.signal, 90)).rejects.toThrow("late");
    await turn();
    late.abort(new Error("late"));
    budget.of("a").release(60);
    await taken;
    expect(budget.bytes).toBe(5);
  });

  it("gives everything in the end, and holds no more than its limit, in any order of events", async () => {
    await withSeed("any order of events", async (random) => {
      const budget = new MemoryBudget(1_000);
      const held: { readonly account: string; readonly bytes: number }[] = [];
      let open = 0;
      let given = 0;
      for (let step = 0; step < 2_000; step++) {
        const account = "abcd".charAt(Math.floor(random.float() * 4));
        const bytes = 1 + Math.floor(random.float() ** 4 * 600);
        if (random.float() < 0.5) {
          open++;
          void budget
            .of(account)
            .take(signal, bytes)
            .then(() => {
              given++;
              held.push({ account, bytes });
            });
        } else {
          const [released] = held.splice(Math.floor(random.float() * held.length), 1);
          budget.of(released?.account ?? "a").release(released?.bytes ?? 0);
        }
        await turn();
        expect(budget.bytes).toBe(held.reduce((sum, item) => sum + item.bytes, 0));
        expect(budget.bytes).toBeLessThanOrEqual(1_000);
      }
      while (held.length > 0) {
        const { account, bytes } = held.pop() as (typeof held)[number];
        budget.of(account).release(bytes);
        await turn();
      }
      expect([given, budget.bytes]).toEqual([open, 0]);
    });
  });
});
