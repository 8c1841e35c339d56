import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { NEVER, sleepUnlessAborted, untilAborted, waitFor, withinDeadline } from "../../../src/lib/abort.ts";
import { ManualClock } from "../../support/manual-clock.ts";

describe("waitFor", () => {
  it("waitFor returns the value of the promise, and removes its listener", async () => {
    const controller = new AbortController();
    expect(await waitFor(controller.signal, Promise.resolve("x"))).toBe("x");
    await expect(waitFor(controller.signal, Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(0);
  });

  it("waitFor stops waiting when the signal aborts", async () => {
    const controller = new AbortController();
    const waiting = waitFor(controller.signal, Promise.withResolvers<never>().promise);
    controller.abort(new Error("stop"));
    await expect(waiting).rejects.toThrow("stop");
    await expect(waitFor(controller.signal, Promise.resolve("x"))).rejects.toThrow("stop");
  });

  it("waitFor handles a rejection of the promise after the abort", async () => {
    const unhandled: unknown[] = [];
    const onUnhandled = (reason: unknown): void => void unhandled.push(reason);
    process.on("unhandledRejection", onUnhandled);
    try {
      const controller = new AbortController();
      const late = Promise.withResolvers<never>();
      const waiting = waitFor(controller.signal, late.promise);
      controller.abort(new Error("stop"));
      await expect(waiting).rejects.toThrow("stop");
      late.reject(new Error("late"));
      await new Promise(setImmediate);
      expect(unhandled).toEqual([]);
    } finally {
      process.off("unhandledRejection", onUnhandled);
    }
  });
});

describe("sleepUnlessAborted", () => {
  it("sleepUnlessAborted returns early on an abort, and rejects with any other error", async () => {
    const clock = new ManualClock();
    const stop = new AbortController();
    const sleeping = sleepUnlessAborted(stop.signal, clock, 1000);
    stop.abort();
    await sleeping;
    const broken = {
      ...clock,
      sleep: () => Promise.reject(new Error("broken clock")),
    } as unknown as ManualClock;
    await expect(sleepUnlessAborted(NEVER, broken, 1)).rejects.toThrow("broken clock");
  });
});

describe("untilAborted", () => {
  it("untilAborted returns on the abort, and immediately after it", async () => {
    const stop = new AbortController();
    const waiting = untilAborted(stop.signal);
    stop.abort();
    await waiting;
    await untilAborted(stop.signal);
  });
});

describe("withinDeadline", () => {
  const never = (signal: AbortSignal): Promise<string> =>
    waitFor(signal, Promise.withResolvers<never>().promise);

  it("withinDeadline returns the result of the work, and stops its timer", async () => {
    const clock = new ManualClock();
    expect(await withinDeadline(NEVER, clock, 100, async () => "done", String)).toBe("done");
    expect(clock.pending).toBe(0);
  });

  it("withinDeadline returns the result of onTimeout after the deadline", async () => {
    const clock = new ManualClock();
    const result = withinDeadline(NEVER, clock, 100, never, () => "late");
    await clock.advance(100);
    expect(await result).toBe("late");
  });

  it("withinDeadline rejects with the reason of the signal, and with any other error of the work", async () => {
    const clock = new ManualClock();
    const stop = new AbortController();
    const stopped = withinDeadline(stop.signal, clock, 100, never, () => "late");
    stop.abort(new Error("stop"));
    await expect(stopped).rejects.toThrow("stop");
    const broken = (): Promise<string> => Promise.reject(new Error("broken"));
    await expect(withinDeadline(NEVER, clock, 100, broken, () => "late")).rejects.toThrow("broken");
    expect(clock.pending).toBe(0);
  });

  it("withinDeadline does not handle the deadlines of its caller and of the work", async () => {
    const clock = new ManualClock();
    const outer = withinDeadline(
      NEVER,
      clock,
      50,
      (signal) => withinDeadline(signal, clock, 100, never, () => "inner"),
      () => "outer",
    );
    await clock.advance(100);
    expect(await outer).toBe("outer");
    const inside = withinDeadline(
      NEVER,
      clock,
      100,
      async (signal) => {
        using own = clock.deadline(signal, 10);
        return await never(own.signal);
      },
      () => "late",
    );
    const rejected = expect(inside).rejects.toThrow("deadline of 10 ms passed");
    await clock.advance(100);
    await rejected;
  });
});
