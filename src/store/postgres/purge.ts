import type { ClientBase } from "pg";
import { purgeDeletionSets } from "../sql/deletion-sets.ts";
import { purgeRuns } from "../sql/end-run.ts";
import { purgeSessions } from "../sql/end-sessions.ts";
import { purgeStandbys } from "../sql/keep-standbys.ts";
import type { Database } from "./database.ts";

/** Rows that one transaction deletes, without those that depend on them. A run has about 100 results. */
const BATCH = 200;

/** Key of the lock of the backend that purges. */
const PURGE_LOCK = 7_270_736_970_001n;

/**
 * Deletes what ended more than `retentionMs` ago, in small transactions that skip locked rows. While another backend
 * purges, it does nothing.
 */
export async function purge(signal: AbortSignal, database: Database, retentionMs: number): Promise<void> {
  const purges: readonly ((client: ClientBase) => Promise<number>)[] = [
    (client) => purgeRuns(client, retentionMs, BATCH),
    (client) => purgeSessions(client, retentionMs, BATCH),
    (client) => purgeStandbys(client, BATCH),
    (client) => purgeDeletionSets(client, retentionMs, BATCH),
  ];
  for (const purgeSome of purges) {
    for (let count = BATCH; count === BATCH; ) {
      signal.throwIfAborted();
      count = await database.unlocked((client) => purgeAlone(client, purgeSome));
    }
  }
}

async function purgeAlone(
  client: ClientBase,
  purgeSome: (client: ClientBase) => Promise<number>,
): Promise<number> {
  const { rows } = await client.query<{ alone: boolean }>(
    `SELECT pg_try_advisory_xact_lock(${PURGE_LOCK}) AS alone`,
  );
  return rows[0]?.alone === true ? await purgeSome(client) : 0;
}
