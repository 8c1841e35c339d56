import { describe, expect, it } from "vitest";
import { RetryableError, TerminalError } from "../../../src/lib/errors.ts";
import { createSeededRandom } from "../../../src/lib/random.ts";
import { type RetryOptions, retry } from "../../../src/lib/retry.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { createTestLog } from "../../support/vitest/test-log.ts";

/** Retries an attempt. The attempt receives its number, from 1. */
function retrying<T>(attempt: (count: number) => Promise<T>, more: Partial<RetryOptions> = {}) {
  const clock = new ManualClock();
  const stop = new AbortController();
  const log = createTestLog();
  const times: number[] = [];
  const options = { clock, random: createSeededRandom(1), log, name: "opening", ...more };
  const result = retry(stop.signal, options, () => attempt(times.push(clock.monotonic())));
  result.catch(() => {});
  return { clock, stop, log, times, result };
}

describe("retry", () => {
  it("retry repeats an attempt after a retryable error, and returns its result", async () => {
    const { clock, times, result } = retrying(async (count) => {
      if (count < 5) {
        throw new RetryableError("not yet");
      }
      return "open";
    });
    await clock.advance(60_000);
    expect(await result).toBe("open");
    expect(times).toHaveLength(5);
  });

  it("retry waits at least the retryAfterMs of the error", async () => {
    const { clock, times } = retrying(async () => {
      throw new RetryableError("busy", { retryAfterMs: 30_000 });
    });
    await clock.advance(29_000);
    expect(times).toHaveLength(1);
    await clock.advance(2_000);
    expect(times).toHaveLength(2);
  });

  it("the delays of retry grow up to the maximum of its backoff", async () => {
    const { clock, times, result } = retrying(
      async (count) => {
        if (count < 40) {
          throw new RetryableError("gone");
        }
      },
      { backoff: { initialMs: 100, maxMs: 10_000 } },
    );
    await clock.advance(400_000);
    await result;
    const delays = times.slice(1).map((time, index) => time - (times[index] ?? 0));
    expect(delays[0]).toBeLessThanOrEqual(100);
    expect(Math.max(...delays)).toBeGreaterThan(5_000);
    expect(Math.max(...delays)).toBeLessThanOrEqual(10_000);
  });

  it("retry does not repeat an attempt that cannot succeed", async () => {
    const { result } = retrying(async () => {
      throw new TerminalError("never");
    });
    await expect(result).rejects.toThrow("never");
  });

  it("the caller of retry decides which errors are retried, and receives each one before the wait", async () => {
    const waits: unknown[] = [];
    const { clock, times, result } = retrying(
      async (count) => {
        throw new Error(`error ${count}`);
      },
      {
        classify: (error) => ((error as Error).message === "error 3" ? "fail" : "retry"),
        onWait: (error) => waits.push((error as Error).message),
      },
    );
    await clock.advance(60_000);
    await expect(result).rejects.toThrow("error 3");
    expect(times).toHaveLength(3);
    expect(waits).toEqual(["error 1", "error 2"]);
  });

  it("retry logs each change of the error and the end of the outage, but not each attempt", async () => {
    const { clock, log, result } = retrying(async (count) => {
      if (count <= 10) {
        throw new RetryableError(count <= 5 ? "one" : "another");
      }
    });
    await clock.advance(100_000);
    await result;
    expect(log.lines).toEqual([
      "warn opening failed; retrying: one",
      "warn opening failed; retrying: another",
      "info opening succeeded",
    ]);
  });

  it("retry ends when the signal aborts, during a wait or after an attempt", async () => {
    const between = retrying(async () => {
      throw new RetryableError("not yet");
    });
    await between.clock.advance(1_000);
    between.stop.abort(new Error("enough"));
    await expect(between.result).rejects.toThrow("enough");
    expect(between.clock.pending).toBe(0);
    const within = retrying(async () => {
      await Promise.resolve();
      within.stop.abort(new Error("enough"));
      throw new TerminalError("aborted");
    });
    await expect(within.result).rejects.toThrow("enough");
  });
});
