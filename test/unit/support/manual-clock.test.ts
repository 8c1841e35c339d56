import { describe, expect, it } from "vitest";
import { DeadlineError } from "../../../src/lib/clock.ts";
import { ManualClock } from "../../support/manual-clock.ts";

describe("ManualClock", () => {
  const never = new AbortController().signal;

  it("fires timers in the order of their times, each with what it sets off before the next", async () => {
    const clock = new ManualClock();
    const log: string[] = [];
    const sleeper = async (name: string, ...times: number[]): Promise<void> => {
      for (const ms of times) {
        await clock.sleep(never, ms);
        log.push(`${name} ${clock.monotonic()}`);
      }
    };
    const all = Promise.all([sleeper("a", 10, 10), sleeper("b", 15), sleeper("c", 10)]);
    await clock.advance(20);
    await all;
    expect(log).toEqual(["a 10", "c 10", "b 15", "a 20"]);
    expect(clock.now()).toEqual(new Date("2026-01-01T00:00:00.020Z"));
    expect(clock.pending).toBe(0);
  });

  it("stands still by itself", async () => {
    const clock = new ManualClock();
    const controller = new AbortController();
    const sleeping = clock.sleep(controller.signal, 1);
    await clock.advance(0);
    expect(clock.pending).toBe(1);
    controller.abort(new Error("enough"));
    await expect(sleeping).rejects.toThrow("enough");
    expect(clock.pending).toBe(0);
  });

  it("ends deadlines with a DeadlineError, or with what they were made of", async () => {
    const clock = new ManualClock();
    using passed = clock.deadline(never, 5);
    const controller = new AbortController();
    using stopped = clock.deadline(controller.signal, 5);
    controller.abort(new Error("enough"));
    await clock.advance(5);
    expect(passed.signal.reason).toBeInstanceOf(DeadlineError);
    expect(stopped.signal.reason).toEqual(new Error("enough"));
  });
});
