import { expect, test } from "vitest";
import { runInSlices, runWhole, type Slices } from "../../../src/lib/slices.ts";
import { ManualClock } from "../../support/manual-clock.ts";

function* count(steps: number, size: number, log: string[]): Slices<string> {
  for (let step = 1; step <= steps; step++) {
    log.push(`step ${step}`);
    yield size;
  }
  return "done";
}

test("a computation in slices lets others work after each 128 Ki (L21)", async () => {
  const clock = new ManualClock();
  const log: string[] = [];
  const running = runInSlices(new AbortController().signal, clock, count(5, 64 * 1024, log));
  expect(log).toEqual(["step 1", "step 2"]);
  await clock.advance(0);
  await clock.advance(0);
  expect(await running).toBe("done");
  expect(log).toHaveLength(5);
});

test("a small computation takes no pause", async () => {
  const clock = new ManualClock();
  expect(await runInSlices(new AbortController().signal, clock, count(100, 1000, []))).toBe("done");
  expect(clock.pending).toBe(0);
});

test("a computation ends when its caller leaves", async () => {
  const stop = new AbortController();
  const log: string[] = [];
  const running = runInSlices(stop.signal, new ManualClock(), count(100, 1_000_000, log));
  stop.abort(new Error("left"));
  await expect(running).rejects.toThrow("left");
  expect(log).toEqual(["step 1"]);
});

test("a computation without pauses has the same result", () => {
  expect(runWhole(count(100, 1_000_000, []))).toBe("done");
});
