import { afterEach, beforeEach, expect, it } from "vitest";
import { FailureLog, type Work } from "../../../src/agent/failure-log.ts";
import { KubeUnavailableError, toKubeError } from "../../../src/kube/kube-error.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { createTestLog, type TestLog } from "../../support/vitest/test-log.ts";

const forbidden = (resourceType: string) => toKubeError(`GET /${resourceType}`, 403, "");
const unavailable = new KubeUnavailableError("GET /: 503", 503, "ServiceUnavailable");
const read = (resourceType: string): Work => ({ activity: "read", resourceType });
const watch = (resourceType: string, namespace = ""): Work => ({
  activity: "watch",
  resourceType,
  namespace,
});
const types = Array.from({ length: 48 }, (_, index) => `type-${index}`);

let clock: ManualClock;
let log: TestLog;
let failures: FailureLog;
let stop: AbortController;
let running: Promise<void>;

beforeEach(async () => {
  clock = new ManualClock();
  log = createTestLog();
  failures = new FailureLog(log, clock);
  stop = new AbortController();
  running = failures.run(stop.signal).catch(() => {});
  await clock.advance(0);
});
afterEach(async () => {
  stop.abort();
  await running;
  expect(clock.pending).toBe(0);
});

it("resource types that fail for one reason share one line, with their number and the first names", async () => {
  for (const name of types) {
    failures.failed(read(name), forbidden(name));
    await clock.advance(10);
  }
  expect(log.lines).toEqual([]);
  await clock.advance(2_000);
  expect(log.entries).toEqual([
    {
      level: "warn",
      message: "resource types cannot be read",
      fields: {
        reason: "Forbidden",
        count: 48,
        resourceTypes: types.slice(0, 5),
        error: "GET /type-0: 403 Forbidden",
      },
    },
  ]);
});

it("a failure that is repeated is not logged again; one with another reason is", async () => {
  for (let run = 0; run < 3; run += 1) {
    for (const name of types) {
      failures.failed(read(name), forbidden(name));
    }
    await clock.advance(600_000);
  }
  expect(log.lines).toHaveLength(1);
  failures.failed(read("type-0"), unavailable);
  failures.failed(watch("type-0"), unavailable);
  await clock.advance(2_000);
  expect(log.lines.slice(1)).toEqual([
    "warn resource types cannot be read: GET /: 503",
    "info resource types cannot be watched: GET /: 503",
  ]);
});

it("resource types that work again share one line, and one that works for a short time has none", async () => {
  for (const name of types) {
    failures.failed(watch(name, "a"), unavailable);
    failures.failed(watch(name, "b"), unavailable);
  }
  await clock.advance(2_000);
  expect(log.entries.map(({ fields }) => fields["count"])).toEqual([48]);
  for (const name of types) {
    failures.worked(watch(name, "a"));
    failures.worked(watch(name, "b"));
    await clock.advance(500);
  }
  failures.failed(watch("type-0", "a"), unavailable);
  await clock.advance(30_000);
  expect(log.lines.slice(1)).toEqual(["info resource types are watched again"]);
  expect(log.entries[1]?.fields["count"]).toBe(48);
});

it("a failure that ends at once is not logged", async () => {
  failures.failed(read("pods"), unavailable);
  await clock.advance(1_000);
  failures.worked(read("pods"));
  await clock.advance(60_000);
  expect(log.lines).toEqual([]);
});

it("the end of the agent logs what was still collected", async () => {
  failures.failed(read("pods"), unavailable);
  stop.abort();
  await running;
  expect(log.lines).toEqual(["warn resource types cannot be read: GET /: 503"]);
});

it("notices of the same sort share one line, and later ones have another", async () => {
  for (const name of types) {
    failures.noticed("staleList", name);
    failures.noticed("staleList", name);
    await clock.advance(10);
  }
  failures.noticed("incarnation", "type-0");
  await clock.advance(2_000);
  failures.noticed("staleList", "type-1");
  await clock.advance(2_000);
  const entry = (message: string, count: number, resourceTypes: string[]) => ({
    ...{ level: "warn", message },
    fields: { count, resourceTypes },
  });
  expect(log.entries).toEqual([
    entry("lists below the high watermark refused", 48, types.slice(0, 5)),
    entry("new incarnations begun: versions went back", 1, ["type-0"]),
    entry("lists below the high watermark refused", 1, ["type-1"]),
  ]);
});
