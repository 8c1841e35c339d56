import { RunWatcher } from "../backend/fleet/run-watcher.ts";
import { createSystemClock } from "../lib/clock.ts";
import { ANONYMOUS_ACCOUNT } from "../rpc/auth/authenticator.ts";
import type { Database } from "../store/postgres/database.ts";
import { createPgFleetStore } from "../store/postgres/pg-fleet-store.ts";
import type { InjectedDrift } from "./drift.ts";
import { formatDriftEvent, formatRunEvent } from "./format-run-event.ts";

/** Reports drift and the results of runs. */
export interface Narrator {
  /** Reports drift, and remembers it until a run has found it. */
  drift(drift: InjectedDrift): void;
  /** Reports each run at its end, until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
}

/** Creates a narrator of the runs in a database. */
export function createNarrator(database: Database, print: (line: string) => void): Narrator {
  const clock = createSystemClock();
  const store = createPgFleetStore(database, clock);
  const watcher = new RunWatcher(store, clock);
  let open: readonly InjectedDrift[] = [];
  return {
    drift(drift) {
      print(formatDriftEvent(drift));
      open = [...open, drift];
    },
    async run(signal) {
      try {
        for await (const run of watcher.watch(signal, ANONYMOUS_ACCOUNT, { clusters: undefined })) {
          if (run.endTime !== undefined) {
            const page = { limit: 1000, after: undefined };
            const { items } = await store.listFindings(signal, ANONYMOUS_ACCOUNT, run.id, page);
            const narrated = formatRunEvent(open, run, items);
            narrated.lines.forEach(print);
            open = narrated.open;
          }
        }
      } catch (error) {
        if (!signal.aborted) {
          throw error;
        }
      }
    },
  };
}
