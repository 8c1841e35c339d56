import { expect, it } from "vitest";
import { KeyedWindow } from "../../../src/ingester/keyed-window.ts";
import { createIngesterMetrics } from "../../../src/ingester/metrics.ts";
import { createScrub } from "../../../src/ingester/scrub.ts";
import { ScriptedIngestStore } from "../../support/ingester/scripted-ingest-store.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { createRecordingMetrics } from "../../support/recording-metrics.ts";
import { PODS } from "../../support/store/messages.ts";
import { createTestLog } from "../../support/vitest/test-log.ts";

it("a scrub counts its rows and logs the first damaged keys, and why it ended early (R81)", async () => {
  const { signal } = new AbortController();
  const metrics = createRecordingMetrics();
  const limits = { maxItems: 1, maxItemsPerKey: 1, maxBytes: 1, maxBytesPerKey: 1 };
  const window = new KeyedWindow({ limits, canDefer: true, clock: new ManualClock(), bytesOf: () => 1 });
  const log = createTestLog();
  const store = new ScriptedIngestStore();
  const scrub = createScrub({
    store,
    counted: createIngesterMetrics(metrics, () => window),
    log,
    maxRows: 20,
  });
  const position = { account: "acme", cluster: "c1", epoch: 1n, sequence: 0n };
  await scrub(signal, position, PODS);
  expect(log.entries).toEqual([]);

  const damaged = Array.from({ length: 7 }, (_, index) => ({ namespace: "a", name: `${index}` }));
  store.scrubOutcome = { rows: 10, damaged, failure: "invalid page" };
  await scrub(signal, position, PODS);
  expect(store.scrubs).toMatchObject([
    { resource: "pods", maxRows: 20 },
    { resource: "pods", maxRows: 20 },
  ]);
  const of = { account: "acme", cluster: "c1", resourceType: "pods" };
  expect(log.entries).toMatchObject([
    {
      level: "error",
      message: "damaged rows found",
      fields: { ...of, rows: 7, keys: ["a/0", "a/1", "a/2", "a/3", "a/4"] },
    },
    { level: "error", message: "row not readable", fields: { ...of, reason: "invalid page" } },
  ]);
  expect(metrics.total("evenkeel_ingester_scrubbed_rows_total")).toBe(10);
  expect(metrics.total("evenkeel_ingester_damaged_rows_total")).toBe(7);
  expect(metrics.total("evenkeel_ingester_failed_scrubs_total")).toBe(1);
});
