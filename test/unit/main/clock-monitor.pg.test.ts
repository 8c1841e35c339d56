import { expect, test } from "vitest";
import { type Clock, createSystemClock } from "../../../src/lib/clock.ts";
import { createClockMonitor } from "../../../src/main/clock-monitor.ts";
import { createDatabase } from "../../../src/store/postgres/database.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { describeWithPostgres } from "../../support/postgres/postgres.ts";
import { createTestLog } from "../../support/vitest/test-log.ts";

/** Returns a manual clock whose wall clock is the machine's plus `skew()`. */
function createSkewedClock(skew: () => number): ManualClock {
  const clock = new ManualClock();
  const machine: Clock = createSystemClock();
  clock.now = () => new Date(machine.now().getTime() + skew());
  return clock;
}

describeWithPostgres("the monitor of the clock", (provided) => {
  test.each([
    ["ahead of", 86_400_000, 86_400],
    ["behind", -7_000, 7],
  ])("R60: reports a clock %s the database's until it agrees again", async (direction, ms, seconds) => {
    await using database = createDatabase({ url: provided.url });
    let skew = ms;
    const clock = createSkewedClock(() => skew);
    const log = createTestLog();
    const stop = new AbortController();
    const monitor = createClockMonitor({ database, clock, log });
    const running = monitor.run(stop.signal);
    const measured = () => expect.poll(() => clock.pending, { interval: 1 }).toBe(1);
    await measured();
    await expect(monitor.check.check(stop.signal)).rejects.toThrow(
      `skew: expected at most 5 s, found this host ${seconds} s ${direction} the database's host; synchronize`,
    );
    skew = 3_000;
    await clock.advance(10_000);
    await measured();
    await monitor.check.check(stop.signal);
    expect(log.lines).toEqual([
      expect.stringMatching(/^warn clock differs from the database's/),
      expect.stringMatching(/^info clock agrees with the database's/),
    ]);
    stop.abort();
    await running;
  });

  test("R60: a database that does not answer is no skew", async () => {
    await using database = createDatabase({ url: "postgres://127.0.0.1:1/none" });
    const clock = new ManualClock();
    const log = createTestLog();
    const stop = new AbortController();
    const monitor = createClockMonitor({ database, clock, log });
    const running = monitor.run(stop.signal);
    await expect.poll(() => clock.pending, { interval: 1 }).toBe(1);
    await monitor.check.check(stop.signal);
    expect(log.lines).toEqual([]);
    stop.abort();
    await running;
  });
});
