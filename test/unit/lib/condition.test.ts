import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { Condition } from "../../../src/lib/condition.ts";

describe("Condition", () => {
  it("a notification resolves all current waits, and no later one", async () => {
    const { signal } = new AbortController();
    const condition = new Condition();
    const woken: string[] = [];
    const wait = async (name: string): Promise<void> => {
      await condition.wait(signal);
      woken.push(name);
    };
    const first = [wait("a"), wait("b")];
    condition.notifyAll();
    const later = wait("c");
    await Promise.all(first);
    expect(woken.toSorted()).toEqual(["a", "b"]);
    condition.notifyAll();
    await later;
    expect(woken).toContain("c");
  });

  it("waitUntil waits until the predicate is true, and misses no notification between two tests of it", async () => {
    const { signal } = new AbortController();
    const condition = new Condition();
    let value = 0;
    const reached = condition.waitUntil(signal, () => value >= 3);
    for (let i = 0; i < 3; i++) {
      value++;
      condition.notifyAll();
      await Promise.resolve();
    }
    await reached;
    expect(value).toBe(3);
  });

  it("waitUntil returns immediately if the predicate is true", async () => {
    await new Condition().waitUntil(AbortSignal.abort(new Error("stop")), () => true);
  });

  it("an aborted wait leaves nothing in memory, also without any notification", async () => {
    setFlagsFromString("--expose-gc");
    const collectGarbage: () => void = runInNewContext("gc");
    const condition = new Condition();
    const abortWaits = async (count: number): Promise<number> => {
      for (let i = 0; i < count; i++) {
        const stop = new AbortController();
        const waiting = condition.wait(stop.signal);
        stop.abort();
        await waiting.catch(() => {});
      }
      collectGarbage();
      return process.memoryUsage().heapUsed;
    };
    const before = await abortWaits(1_000);
    expect((await abortWaits(20_000)) - before).toBeLessThan(2_000_000);
  });

  it("waitUntil rejects with the reason of the signal, and with an error of the predicate", async () => {
    const stop = new AbortController();
    const condition = new Condition();
    const waiting = condition.waitUntil(stop.signal, () => false);
    stop.abort(new Error("stop"));
    await expect(waiting).rejects.toThrow("stop");
    let isBroken = false;
    const broken = condition.waitUntil(new AbortController().signal, () => {
      if (isBroken) {
        throw new Error("broken");
      }
      return false;
    });
    isBroken = true;
    condition.notifyAll();
    await expect(broken).rejects.toThrow("broken");
  });
});
