import type { Bus } from "../bus/bus.ts";
import { createIngester } from "../ingester/ingester.ts";
import { supervise } from "../lib/supervise.ts";
import type { Database } from "../store/postgres/database.ts";
import { createPgIngestStore } from "../store/postgres/pg-ingest-store.ts";
import { Restart } from "./restart.ts";
import type { Runtime } from "./runtime.ts";

/** What an ingester is run with. */
export interface SuperviseIngesterOptions {
  readonly bus: Bus;
  readonly database: Database;
  readonly runtime: Runtime;
  /** Asked, it finishes what it holds, leaves the bus, and joins anew. */
  readonly restart?: Restart;
}

/** Runs an ingester until `signal` aborts; whatever cuts it off, it starts again. */
export async function superviseIngester(
  signal: AbortSignal,
  { bus, database, runtime, restart = new Restart() }: SuperviseIngesterOptions,
): Promise<void> {
  const store = createPgIngestStore(database, runtime.clock);
  const ingester = createIngester({ ...runtime, bus, store });
  await supervise(signal, { ...runtime, name: "ingester" }, async (s) => {
    const asked = restart.signal;
    await ingester.run(AbortSignal.any([s, asked]));
    asked.throwIfAborted();
  });
}
