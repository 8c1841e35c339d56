import { createContextValues } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { MemoryBudget } from "../../../../src/lib/memory-budget.ts";
import { identityKey } from "../../../../src/rpc/auth/authenticator.ts";
import { createFrameMemory } from "../../../../src/rpc/server/frame-memory.ts";

describe("the memory of a stream's messages (L35)", () => {
  const open = (budget: MemoryBudget) => {
    const call = new AbortController();
    const contextValues = createContextValues().set(identityKey, { account: "acme" });
    return { call, memory: createFrameMemory(budget, { signal: call.signal, contextValues }) };
  };

  it("counts three times their bytes for the account, and gives them back once", async () => {
    const budget = new MemoryBudget(3_000);
    const { memory } = open(budget);
    await memory.take(100);
    expect(budget.bytes).toBe(300);
    expect(budget.of("acme").room).toBeLessThan(budget.of("other").room);
    memory.release();
    memory.release();
    expect(budget.bytes).toBe(0);
  });

  it("is given back when the call ends, also if its reader has stopped and at its end waits for room", async () => {
    const budget = new MemoryBudget(3_000);
    const stopped = open(budget);
    await stopped.memory.take(100);
    stopped.call.abort();
    expect(budget.bytes).toBe(0);
    budget.of("acme").hold(2_900);
    const waiting = open(budget);
    const taken = waiting.memory.take(100);
    waiting.call.abort(new Error("ended"));
    await expect(taken).rejects.toThrow("ended");
    expect(budget.bytes).toBe(2_900);
  });

  it("that is given in the moment of the call's end is given back", async () => {
    const budget = new MemoryBudget(3_000);
    budget.of("acme").hold(2_900);
    const { call, memory } = open(budget);
    const taken = memory.take(100).catch(() => {});
    budget.of("acme").release(2_900);
    await Promise.resolve();
    call.abort();
    await taken;
    expect(budget.bytes).toBe(0);
  });
});
