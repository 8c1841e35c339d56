import { expect, test } from "vitest";
import { ReconciliationState } from "../../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { watchRuns } from "../../../../src/backend/fleet/watch-runs.ts";
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
    const query = { account: fleet.account, clusters: ["c1"] };
    const watching = (async () => {
      for await (const { id, state } of watchRuns(stop.signal, fleet.store, clock, query)) {
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
