import { describe, expect, it } from "vitest";
import { retryInPlace } from "../../../src/ingester/process-delivery.ts";
import { RetryableError, TerminalError } from "../../../src/lib/errors.ts";
import { createSeededRandom } from "../../../src/lib/random.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { createRecordingLog } from "../../support/recording-log.ts";

function retrying<T>(attempt: (clock: ManualClock, stop: AbortController) => Promise<T>) {
  const clock = new ManualClock();
  const stop = new AbortController();
  const log = createRecordingLog();
  const dependencies = { clock, random: createSeededRandom(1), log, onWait: () => {} };
  return { clock, stop, log, outcome: retryInPlace(stop.signal, dependencies, () => attempt(clock, stop)) };
}

describe("retrying in place", () => {
  it("gives what the attempt gives", async () => {
    expect(await retrying(async () => 5).outcome).toEqual({ type: "done", value: 5 });
  });

  it("goes on for as long as it takes, with delays that grow up to ten seconds", async () => {
    const times: number[] = [];
    const { clock, log, outcome } = retrying(async (now) => {
      times.push(now.monotonic());
      if (times.length < 40) {
        throw new RetryableError("gone");
      }
    });
    await clock.advance(400_000);
    expect(await outcome).toEqual({ type: "done", value: undefined });
    const delays = times.slice(1).map((time, index) => time - (times[index] ?? 0));
    expect(delays[0]).toBeLessThanOrEqual(100);
    expect(Math.max(...delays)).toBeGreaterThan(5_000);
    expect(Math.max(...delays)).toBeLessThanOrEqual(10_000);
    expect(log.lines).toEqual(["warn waiting to try again: gone", "info going on"]);
  });

  it("logs an unknown error when it changes, and not at every attempt", async () => {
    let attempts = 0;
    const { clock, log, outcome } = retrying(async () => {
      attempts += 1;
      if (attempts <= 10) {
        throw new Error(attempts <= 5 ? "one" : "another");
      }
    });
    await clock.advance(100_000);
    expect(await outcome).toEqual({ type: "done", value: undefined });
    expect(log.lines).toEqual([
      "warn waiting to try again: one",
      "warn waiting to try again: another",
      "info going on",
    ]);
  });

  it("waits at least as long as the error says", async () => {
    const times: number[] = [];
    const { clock, outcome } = retrying(async (now) => {
      times.push(now.monotonic());
      if (times.length === 1) {
        throw new RetryableError("busy", { retryAfterMs: 60_000 });
      }
    });
    await clock.advance(60_000);
    await outcome;
    expect(times).toEqual([0, 60_000]);
  });

  it("gives up what can never succeed, with the reason", async () => {
    const { outcome } = retrying(() => Promise.reject(new TerminalError("no body")));
    expect(await outcome).toEqual({ type: "failed", reason: "no body" });
  });

  it("stops when the signal aborts, in the attempt or between two", async () => {
    const between = retrying(() => Promise.reject(new RetryableError("gone")));
    await between.clock.advance(0);
    between.stop.abort();
    expect(await between.outcome).toEqual({ type: "stopped" });
    expect(between.clock.pending).toBe(0);
    const within = retrying(async (_, stop) => {
      stop.abort();
      throw new TerminalError("aborted");
    });
    expect(await within.outcome).toEqual({ type: "stopped" });
  });
});
