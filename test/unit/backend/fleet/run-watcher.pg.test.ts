import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import {
  type ReconciliationRun,
  ReconciliationRunSchema,
  ReconciliationState,
} from "../../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { RunWatcher } from "../../../../src/backend/fleet/run-watcher.ts";
import { RetryableError } from "../../../../src/lib/errors.ts";
import type { OpenRunQuery } from "../../../../src/store/fleet-store.ts";
import { FleetWorld } from "../../../support/backend/fleet-world.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { describeWithPostgres } from "../../../support/postgres/postgres.ts";

const [OLD, RUN, OTHER, BRIEF] = [1, 2, 3, 4].map((n) => `00000000-0000-4000-8000-00000000000${n}`) as [
  string,
  string,
  string,
  string,
];

describeWithPostgres("watching runs", (database) => {
  test("begins with active runs, and yields each change once and the end of runs that it never saw active", async () => {
    await using fleet = new FleetWorld(database.url);
    const clock = new ManualClock();
    const stop = new AbortController();
    await fleet.setRun({ id: OLD, cluster: "c1", state: "SUCCEEDED", endTime: new Date() });
    await fleet.setRun({ id: RUN, cluster: "c1", state: "REQUESTED" });
    await fleet.setRun({ id: OTHER, cluster: "c2", state: "REQUESTED" });
    const { REQUESTED, COMPARING, SUCCEEDED } = ReconciliationState;
    const seen: [string, ReconciliationState][] = [];
    const watcher = new RunWatcher(fleet.store, clock);
    const watching = (async () => {
      for await (const { id, state } of watcher.watch(stop.signal, fleet.account, { clusters: ["c1"] })) {
        seen.push([id, state]);
      }
    })();
    /** Waits until the watch has read the store and sleeps. */
    const polled = () => expect.poll(() => clock.pending, { interval: 1 }).toBe(1);
    const poll = async (ms = 500) => {
      await clock.advance(ms);
      await polled();
    };
    await polled();
    expect(seen).toEqual([[RUN, REQUESTED]]);
    await poll();
    await fleet.setRun({ id: RUN, cluster: "c1", state: "COMPARING" });
    await poll();
    await poll();
    await fleet.setRun({ id: RUN, cluster: "c1", state: "SUCCEEDED", endTime: new Date() });
    await fleet.setRun({ id: BRIEF, cluster: "c1", state: "SUCCEEDED", endTime: new Date() });
    await poll();
    await poll();
    expect(seen).toEqual([
      [RUN, REQUESTED],
      [RUN, COMPARING],
      [RUN, SUCCEEDED],
      [BRIEF, SUCCEEDED],
    ]);
    // Ended runs leave the window of the poll without an event.
    const longAgo = new Date(Date.now() - 120_000);
    await fleet.setRun({ id: RUN, cluster: "c1", state: "SUCCEEDED", endTime: longAgo });
    await fleet.setRun({ id: BRIEF, cluster: "c1", state: "SUCCEEDED", endTime: longAgo });
    await poll();
    expect(seen).toHaveLength(4);
    stop.abort();
    await expect(watching).rejects.toThrow("aborted");
    expect(clock.pending).toBe(0);
  });
});

/** A store whose runs the test sets, and which counts its reads. */
class ScriptedRuns {
  readonly reads: OpenRunQuery[] = [];
  runs: ReconciliationRun[] = [];
  failure: Error | undefined;

  async listOpenRuns(_: AbortSignal, __: string, query: OpenRunQuery): Promise<ReconciliationRun[]> {
    this.reads.push(query);
    if (this.failure !== undefined) {
      throw this.failure;
    }
    return this.runs.filter(({ id }) => !query.except.includes(id));
  }
}

describe("watchers of an account", () => {
  const stop = new AbortController();

  function watchAll(store: ScriptedRuns, count: number, clusters?: readonly string[]) {
    const clock = new ManualClock();
    const watcher = new RunWatcher(store, clock);
    const seen: string[][] = [];
    const start = async (signal: AbortSignal, events: string[]) => {
      try {
        for await (const { id, state } of watcher.watch(signal, "acme", { clusters })) {
          events.push(`${id} ${state === ReconciliationState.REQUESTED ? "requested" : "succeeded"}`);
        }
      } catch (error) {
        events.push(String(error));
      }
    };
    const add = (signal = stop.signal) => {
      const events: string[] = [];
      seen.push(events);
      return start(signal, events);
    };
    for (let n = 0; n < count; n++) {
      void add();
    }
    return { clock, seen, add };
  }

  const run = (state: ReconciliationState, endedAt?: Date, cluster = "c1") =>
    create(ReconciliationRunSchema, {
      id: `run-of-${cluster}`,
      cluster,
      state,
      ...(endedAt && { endTime: timestampFromDate(endedAt) }),
    });

  test("share its reads, and each sees every change (L20)", async () => {
    const store = new ScriptedRuns();
    store.runs = [run(ReconciliationState.REQUESTED)];
    const { clock, seen, add } = watchAll(store, 100);
    await clock.advance(0);
    expect(store.reads).toHaveLength(1);
    void add();
    await clock.advance(0);
    expect(store.reads).toHaveLength(1);
    store.runs = [run(ReconciliationState.SUCCEEDED, new Date())];
    await clock.advance(500);
    await clock.advance(500);
    expect(store.reads).toHaveLength(3);
    const events = ["run-of-c1 requested", "run-of-c1 succeeded"];
    expect(seen).toEqual(Array.from({ length: 101 }, () => events));
    // An ended run does not change, so it is not read again while the store may still return it.
    expect(store.reads.map(({ except }) => except)).toEqual([[], [], ["run-of-c1"]]);
    store.runs = [];
    await clock.advance(70_000);
    expect(store.reads.at(-1)?.except).toEqual([]);
    expect(seen[0]).toEqual(events);
  });

  test("see the runs of their clusters only", async () => {
    const store = new ScriptedRuns();
    store.runs = [run(ReconciliationState.REQUESTED), run(ReconciliationState.REQUESTED, undefined, "c2")];
    const { clock, seen } = watchAll(store, 1, ["c2"]);
    await clock.advance(0);
    expect(seen).toEqual([["run-of-c2 requested"]]);
  });

  test("all get the error of a read, and a later watcher begins again", async () => {
    const store = new ScriptedRuns();
    const { clock, seen, add } = watchAll(store, 2);
    await clock.advance(0);
    store.failure = new RetryableError("the database is not available");
    await clock.advance(500);
    const failed = ["RetryableError: the database is not available"];
    expect(seen).toEqual([failed, failed]);
    expect(clock.pending).toBe(0);
    store.failure = undefined;
    store.runs = [run(ReconciliationState.REQUESTED)];
    void add();
    await clock.advance(0);
    expect(seen.at(-1)).toEqual(["run-of-c1 requested"]);
  });

  test("stop reading with the last of them", async () => {
    const store = new ScriptedRuns();
    const { clock, add } = watchAll(store, 0);
    const [first, second] = [new AbortController(), new AbortController()];
    const watching = [add(first.signal), add(second.signal)];
    await clock.advance(0);
    first.abort();
    await watching[0];
    await clock.advance(500);
    expect(store.reads).toHaveLength(2);
    second.abort();
    await watching[1];
    expect(clock.pending).toBe(0);
  });
});
