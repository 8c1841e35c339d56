import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createFreshnessMonitor } from "../../../../src/backend/fleet/freshness-monitor.ts";
import { RetryableError } from "../../../../src/lib/errors.ts";
import type { FleetFreshness } from "../../../../src/store/freshness-store.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { createRecordingMetrics } from "../../../support/recording-metrics.ts";
import { createTestLog } from "../../../support/vitest/test-log.ts";

const INTERVAL_MS = 600_000;
const NAMES = [
  "evenkeel_backend_clusters",
  "evenkeel_backend_stale_clusters",
  "evenkeel_backend_oldest_verified_age_seconds",
];
const NONE = [undefined, undefined, undefined];

describe("the monitor of freshness", () => {
  let clock: ManualClock;
  let stop: AbortController;
  let running: Promise<void>;
  let limits: number[];
  let read: (signal: AbortSignal) => Promise<FleetFreshness>;
  let samples: () => (number | undefined)[];
  let log: ReturnType<typeof createTestLog>;

  const reading = (clusters: number, staleClusters: number, seconds: number) => async () => ({
    ...{ clusters, staleClusters },
    oldestAgeMs: seconds * 1000,
  });

  beforeEach(() => {
    clock = new ManualClock();
    stop = new AbortController();
    limits = [];
    read = reading(5, 0, 30);
    log = createTestLog();
    const metrics = createRecordingMetrics();
    samples = () => NAMES.map((name) => metrics.read(name));
    const store = {
      readFreshness(signal: AbortSignal, staleAfterMs: number) {
        limits.push(staleAfterMs);
        return read(signal);
      },
    };
    const monitor = createFreshnessMonitor({ store, clock, log, metrics, intervalMs: INTERVAL_MS });
    expect(samples()).toEqual(NONE);
    running = monitor.run(stop.signal);
  });
  afterEach(async () => {
    stop.abort();
    await running;
    expect(clock.pending).toBe(0);
  });

  it("reads every 15 s, however often the metrics are scraped, with a limit of three intervals (L30)", async () => {
    await clock.advance(0);
    expect(samples()).toEqual([5, 0, 30]);
    read = reading(6, 1, 2000);
    await clock.advance(14_999);
    expect(samples()).toEqual([5, 0, 30]);
    await clock.advance(1);
    expect(samples()).toEqual([6, 1, 2000]);
    expect(limits).toEqual([3 * INTERVAL_MS, 3 * INTERVAL_MS]);
  });

  it("has no samples after a reading that failed, until one succeeds, and logs both once (L30)", async () => {
    await clock.advance(0);
    read = () => Promise.reject(new RetryableError("the database is not available"));
    await clock.advance(30_000);
    expect(samples()).toEqual(NONE);
    read = reading(5, 2, 2000);
    await clock.advance(15_000);
    expect(samples()).toEqual([5, 2, 2000]);
    expect(log.lines).toEqual([
      "warn freshness not read; its metrics have no samples: the database is not available",
      "info freshness read again",
    ]);
  });

  it("gives a reading up after 10 s (L30)", async () => {
    await clock.advance(0);
    let aborted = false;
    read = (signal) => {
      signal.addEventListener("abort", () => {
        aborted = true;
      });
      return new Promise(() => {});
    };
    await clock.advance(15_000 + 9_999);
    expect([aborted, samples()]).toEqual([false, [5, 0, 30]]);
    await clock.advance(1);
    expect([aborted, samples()]).toEqual([true, NONE]);
  });

  it("ends during a reading without a log line", async () => {
    await clock.advance(0);
    read = () => new Promise(() => {});
    await clock.advance(15_000);
    stop.abort();
    await running;
    expect(log.lines).toEqual([]);
  });
});
