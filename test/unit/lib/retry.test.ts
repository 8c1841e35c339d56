import { describe, expect, it } from "vitest";
import { RetryableError, TerminalError } from "../../../src/lib/errors.ts";
import { createSilentLog } from "../../../src/lib/log.ts";
import { createSeededRandom } from "../../../src/lib/random.ts";
import { retry } from "../../../src/lib/retry.ts";
import { ManualClock } from "../../support/manual-clock.ts";

function retrying<T>(attempt: () => Promise<T>) {
  const clock = new ManualClock();
  const stop = new AbortController();
  const options = { clock, random: createSeededRandom(1), log: createSilentLog(), name: "opening" };
  const result = retry(stop.signal, options, attempt);
  result.catch(() => {});
  return { clock, stop, result };
}

describe("retry", () => {
  it("repeats what may succeed later, and gives what came of it", async () => {
    let attempts = 0;
    const { clock, result } = retrying(async () => {
      attempts += 1;
      if (attempts < 5) {
        throw new RetryableError("not yet");
      }
      return "open";
    });
    await clock.advance(60_000);
    expect(await result).toBe("open");
    expect(attempts).toBe(5);
  });

  it("waits at least as long as the error asks for", async () => {
    let attempts = 0;
    const { clock } = retrying(async () => {
      attempts += 1;
      throw new RetryableError("busy", { retryAfterMs: 30_000 });
    });
    await clock.advance(29_000);
    expect(attempts).toBe(1);
    await clock.advance(2_000);
    expect(attempts).toBe(2);
  });

  it("does not repeat what cannot succeed", async () => {
    const { result } = retrying(async () => {
      throw new TerminalError("never");
    });
    await expect(result).rejects.toThrow("never");
  });

  it("ends with the signal, also while it waits", async () => {
    const { clock, stop, result } = retrying(async () => {
      throw new RetryableError("not yet");
    });
    await clock.advance(1_000);
    stop.abort(new Error("enough"));
    await expect(result).rejects.toThrow("enough");
    expect(clock.pending).toBe(0);
  });
});
