import { NotFoundError, TerminalError } from "../../lib/errors.ts";
import type { Random } from "../../lib/random.ts";
import type { RunStore } from "../run-store.ts";
import { addRun, listDue } from "../sql/add-run.ts";
import { expireRuns, failRun } from "../sql/end-run.ts";
import { listRequested } from "../sql/list-requested.ts";
import { findSession } from "../sql/live-sessions.ts";
import { type Database, translated } from "./database.ts";
import { purge } from "./purge.ts";

/** Creates the store of reconciliation runs in Postgres. */
export function createPgRunStore(database: Database, random: Random): RunStore {
  const { pool } = database;
  return {
    async createRun(signal, { account, cluster, id = random.uuid(), ...run }) {
      signal.throwIfAborted();
      return await database.transaction({ account, cluster }, async (client) => {
        const current = await findSession(client, { account, cluster });
        if (current === undefined) {
          throw new NotFoundError(`no cluster "${cluster}"`);
        }
        if (!current.isConnected) {
          throw new TerminalError(`cluster "${cluster}": not connected; start its agent before a run`, {
            info: { reason: "NOT_CONNECTED" },
          });
        }
        const session = { account, cluster, epoch: current.epoch };
        const request = await addRun(client, session, { ...run, id });
        return { session, clusterUid: current.clusterUid, request };
      });
    },

    async listRequested(signal, sessions) {
      signal.throwIfAborted();
      return await translated(() => listRequested(pool, sessions));
    },

    async failRun(signal, session, runId, failure) {
      signal.throwIfAborted();
      await translated(() => failRun(pool, session, runId, failure));
    },

    async listDue(signal, sessions, intervalMs) {
      signal.throwIfAborted();
      return await translated(() => listDue(pool, sessions, intervalMs));
    },

    async expireRuns(signal) {
      signal.throwIfAborted();
      return await translated(() => expireRuns(pool));
    },

    async purge(signal, retentionMs) {
      signal.throwIfAborted();
      await purge(signal, database, retentionMs);
    },
  };
}
