import type { FreshnessStore } from "../freshness-store.ts";
import { selectFreshness } from "../sql/select-freshness.ts";
import { type Database, read } from "./database.ts";

/** Creates the freshness store in Postgres. A signal does not interrupt a query that has begun; its timeout does. */
export function createPgFreshnessStore({ pool }: Database): FreshnessStore {
  return {
    readFreshness: (signal, staleAfterMs) => read(signal, () => selectFreshness(pool, staleAfterMs)),
  };
}
