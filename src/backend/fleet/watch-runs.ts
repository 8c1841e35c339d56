import { equals } from "@bufbuild/protobuf";
import {
  type ReconciliationRun,
  ReconciliationRunSchema,
} from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import type { Clock } from "../../lib/clock.ts";
import type { ClusterSelection, FleetStore } from "../../store/fleet-store.ts";

const POLL_INTERVAL_MS = 500;
// By how much the clocks of those that end runs may differ from ours, and longer than a slow poll.
const SLACK_MS = 30_000;

/** Which runs to watch. */
export interface WatchRunsQuery extends ClusterSelection {
  readonly account: string;
}

/**
 * Runs as they change, beginning with those that are active; ends only by the signal's abort, which it throws.
 *
 * It asks the store again and again: runs change a few times a minute, and any of several backends and ingesters may
 * change them, so the database is the one place that hears of all. A state that lasts shorter than the time between
 * two looks is not seen, but the end of a run always is.
 */
export async function* watchRuns(
  signal: AbortSignal,
  store: FleetStore,
  clock: Clock,
  { account, clusters }: WatchRunsQuery,
): AsyncGenerator<ReconciliationRun, void, undefined> {
  let known: ReadonlyMap<string, ReconciliationRun> | undefined;
  for (;;) {
    signal.throwIfAborted();
    const endedSince = new Date(clock.now().getTime() - SLACK_MS);
    const runs = await store.listOpenRuns(signal, account, { clusters, endedSince });
    for (const run of runs) {
      const last = known?.get(run.id);
      // At the first look, what has already ended is not news.
      const isNews =
        known === undefined ? run.endTime === undefined : last === undefined || differs(last, run);
      if (isNews) {
        yield run;
      }
    }
    known = new Map(runs.map((run) => [run.id, run]));
    await clock.sleep(signal, POLL_INTERVAL_MS);
  }
}

function differs(one: ReconciliationRun, other: ReconciliationRun): boolean {
  return !equals(ReconciliationRunSchema, one, other);
}
