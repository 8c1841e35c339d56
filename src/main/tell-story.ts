import { watchRuns } from "../backend/watch-runs.ts";
import type { InjectedDrift } from "../demo/drift.ts";
import { tellDrift, tellRun } from "../demo/story.ts";
import { createSystemClock } from "../lib/system-clock.ts";
import type { Database } from "../store/database.ts";
import { createPrismaFleetStore } from "../store/prisma-fleet-store.ts";

const ACCOUNT = "default";

/** Tells what is broken and what runs make of it, until `signal` aborts. */
export async function tellStory(
  signal: AbortSignal,
  database: Database,
  simulation: { readonly drifts: InjectedDrift[] } | undefined,
  say: (line: string) => void,
): Promise<void> {
  const clock = createSystemClock();
  const store = createPrismaFleetStore(database, clock);
  let open: readonly InjectedDrift[] = [];
  try {
    for await (const run of watchRuns(signal, store, clock, { account: ACCOUNT, cluster: undefined })) {
      for (const drift of simulation?.drifts.splice(0) ?? []) {
        say(tellDrift(drift));
        open = [...open, drift];
      }
      if (run.endTime !== undefined) {
        const { items } = await store.listFindings(signal, ACCOUNT, run.id, {
          limit: 1000,
          after: undefined,
        });
        const told = tellRun(open, run, items);
        told.lines.forEach(say);
        open = told.open;
      }
    }
  } catch (error) {
    if (!signal.aborted) {
      throw error;
    }
  }
}
