import { equals } from "@bufbuild/protobuf";
import {
  type ReconciliationRun,
  ReconciliationRunSchema,
} from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import type { Clock } from "../../lib/clock.ts";
import type { ClusterSelection, FleetStore } from "../../store/fleet-store.ts";

const POLL_INTERVAL_MS = 500;
// Longer than a slow poll.
const SLACK_MS = 30_000;

/** Selection of the runs to watch. */
export interface WatchRunsQuery extends ClusterSelection {
  readonly account: string;
}

/**
 * Yields runs when they change, starting with the active ones, until the signal aborts.
 *
 * It polls the store: runs change a few times a minute, and several backends and ingesters change them, so
 * only the database has all changes. A state that lasts less than a poll interval may be skipped; the end of
 * a run never is.
 *
 * @throws the reason of `signal`.
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
    const runs = await store.listOpenRuns(signal, account, { clusters, endedWithinMs: SLACK_MS });
    for (const run of runs) {
      const last = known?.get(run.id);
      // The first poll also returns runs that ended recently; these are not changes.
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
