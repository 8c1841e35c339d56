import { describe, expect, it } from "vitest";
import { createSystemClock, DeadlineError } from "../../../src/lib/clock.ts";

const clock = createSystemClock();
const { signal } = new AbortController();

describe("the machine's clock", () => {
  it("sleep resolves after its time", async () => {
    const before = clock.monotonic();
    await clock.sleep(signal, 20);
    expect(clock.monotonic() - before).toBeGreaterThanOrEqual(19);
  });

  it("sleep rejects with the signal's reason", async () => {
    const stop = new AbortController();
    const sleeping = clock.sleep(stop.signal, 60_000);
    const reason = new Error("stop");
    stop.abort(reason);
    await expect(sleeping).rejects.toBe(reason);
    await expect(clock.sleep(stop.signal, 0)).rejects.toBe(reason);
  });

  it("a deadline aborts its signal, also earlier with the caller's signal", async () => {
    using deadline = clock.deadline(signal, 1);
    await new Promise((resolve) => deadline.signal.addEventListener("abort", resolve));
    expect(deadline.signal.reason).toBeInstanceOf(DeadlineError);
    const stop = new AbortController();
    using long = clock.deadline(stop.signal, 60_000);
    stop.abort(new Error("stop"));
    expect(long.signal.reason).toMatchObject({ message: "stop" });
  });

  it("a disposed deadline does not abort", async () => {
    const deadline = clock.deadline(signal, 1);
    deadline[Symbol.dispose]();
    await clock.sleep(signal, 20);
    expect(deadline.signal.aborted).toBe(false);
  });
});
