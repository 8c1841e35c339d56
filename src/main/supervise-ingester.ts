import type { Bus } from "../bus/bus.ts";
import { createIngester } from "../ingester/ingester.ts";
import { supervise } from "../lib/supervise.ts";
import type { Database } from "../store/database.ts";
import { createPgIngestStore } from "../store/pg-ingest-store.ts";
import type { Runtime } from "./runtime.ts";

/** Runs an ingester until `signal` aborts; whatever cuts it off, it starts again. */
export async function superviseIngester(
  signal: AbortSignal,
  { bus, database, runtime }: { readonly bus: Bus; readonly database: Database; readonly runtime: Runtime },
): Promise<void> {
  const store = createPgIngestStore(database, runtime.clock);
  const ingester = createIngester({ ...runtime, bus, store });
  await supervise(signal, { ...runtime, name: "ingester" }, (s) => ingester.run(s));
}
