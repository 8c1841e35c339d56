import { describe, expect, it } from "vitest";
import { createSeededRandom } from "../../../src/lib/random.ts";
import { supervise } from "../../../src/lib/supervise.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { createTestLog } from "../../support/vitest/test-log.ts";

function startSupervised(run: (signal: AbortSignal, clock: ManualClock) => Promise<void>) {
  const clock = new ManualClock();
  const stop = new AbortController();
  const log = createTestLog();
  const options = { clock, random: createSeededRandom(1), log, name: "part" };
  return { clock, stop, log, ended: supervise(stop.signal, options, (signal) => run(signal, clock)) };
}

describe("supervise", () => {
  it("a part that rejects or ends is restarted, each time after a delay with a higher maximum", async () => {
    const starts: number[] = [];
    const { clock, stop, ended } = startSupervised(async (_, { monotonic }) => {
      starts.push(monotonic.call(clock));
      if (starts.length % 2 === 0) {
        throw new Error("broken");
      }
    });
    await clock.advance(120_000);
    expect(starts.length).toBeGreaterThan(20);
    const delays = starts.slice(1).map((start, index) => start - (starts[index] ?? 0));
    expect(delays[0]).toBeLessThanOrEqual(250);
    expect(Math.max(...delays)).toBeLessThanOrEqual(5_000);
    expect(Math.max(...delays)).toBeGreaterThan(2_500);
    stop.abort();
    await ended;
    expect(clock.pending).toBe(0);
  });

  it("the delays are short again after a run of 10 s", async () => {
    const starts: number[] = [];
    const { clock, stop, ended } = startSupervised(async (signal) => {
      starts.push(clock.monotonic());
      await (starts.length === 30 ? clock.sleep(signal, 11_000) : Promise.reject(new Error("broken")));
    });
    while (starts.length < 31) {
      await clock.advance(1_000);
    }
    expect((starts[30] ?? 0) - (starts[29] ?? 0) - 11_000).toBeLessThanOrEqual(250);
    stop.abort();
    await ended;
  });

  it("an outage is logged once, and its end too", async () => {
    let runs = 0;
    const { clock, stop, log, ended } = startSupervised(async (signal) => {
      runs += 1;
      await (runs === 20 ? clock.sleep(signal, 60_000) : Promise.reject(new Error("refused")));
    });
    while (runs < 20) {
      await clock.advance(1_000);
    }
    expect(log.lines).toEqual(["warn part failed; restarting: refused"]);
    await clock.advance(11_000);
    expect(log.lines.slice(1)).toEqual(["info part recovered; running for 10 s"]);
    stop.abort();
    await ended;
  });

  it("supervise resolves when the signal aborts, also if the part rejects", async () => {
    const { stop, ended } = startSupervised(async (signal) => {
      await new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("late"))));
    });
    stop.abort();
    await ended;
  });
});
