import type { Clock } from "../../lib/clock.ts";
import { NotFoundError, TerminalError } from "../../lib/errors.ts";
import type { Random } from "../../lib/random.ts";
import type { RunStore } from "../run-store.ts";
import { SESSION_TIMEOUT_MS } from "../session-store.ts";
import { addRun } from "../sql/add-run.ts";
import { type Database, translated } from "./database.ts";

/** Reconciliation runs in Postgres. */
export function createPgRunStore(database: Database, clock: Clock, random: Random): RunStore {
  const { prisma, pool } = database;
  return {
    async createRun(signal, { account, cluster, trigger, deadlineMs }) {
      signal.throwIfAborted();
      return await database.transaction({ account, cluster }, async (client) => {
        const now = clock.now();
        const { rows } = await client.query<{ epoch: string; uid: string; connected: boolean | null }>(
          FIND_SESSION,
          [account, cluster, new Date(now.getTime() - SESSION_TIMEOUT_MS)],
        );
        const [row] = rows;
        if (row === undefined) {
          throw new NotFoundError(`no cluster "${cluster}"`);
        }
        if (row.connected !== true) {
          throw new TerminalError(`cluster "${cluster}" is not connected: no agent could answer a run`);
        }
        const session = { account, cluster, epoch: BigInt(row.epoch) };
        const request = await addRun(client, session, { id: random.uuid(), trigger, now, deadlineMs });
        return { session, clusterUid: row.uid, request };
      });
    },

    async failRun(signal, { account, cluster }, runId, { reason, message }) {
      signal.throwIfAborted();
      await translated(() =>
        prisma.reconciliationRun.updateMany({
          where: { account, cluster, id: runId, endedAt: null },
          data: { state: "FAILED", endedAt: clock.now(), errorReason: reason, errorMessage: message },
        }),
      );
    },

    async listDue(signal, sessions, intervalMs) {
      signal.throwIfAborted();
      const { rows } = await translated(() =>
        pool.query<{ account: string; cluster: string; epoch: string }>(LIST_DUE, [
          sessions.map(({ account }) => account),
          sessions.map(({ cluster }) => cluster),
          sessions.map(({ epoch }) => epoch),
          new Date(clock.now().getTime() - intervalMs),
        ]),
      );
      return rows.map((row) => ({ ...row, epoch: BigInt(row.epoch) }));
    },

    async expireRuns(signal) {
      signal.throwIfAborted();
      const { rowCount } = await translated(() => pool.query(EXPIRE, [clock.now()]));
      return rowCount ?? 0;
    },

    async purge(signal, retentionMs) {
      signal.throwIfAborted();
      const before = new Date(clock.now().getTime() - retentionMs);
      await translated(() => pool.query(PURGE_RUNS, [before]));
      await translated(() => prisma.agentSession.deleteMany({ where: { closedAt: { lt: before } } }));
    },
  };
}

const FIND_SESSION = `
SELECT c.epoch, c.uid, s.closed_at IS NULL AND s.seen_at > $3 AS connected
FROM cluster c
LEFT JOIN agent_session s ON s.account = c.account AND s.cluster = c.name AND s.epoch = c.epoch
WHERE c.account = $1 AND c.name = $2`;

// Next-due times derive from stored times: neither a restart nor a flapping agent loses or multiplies runs. A run
// that was cut short by a new session does not count.
const LIST_DUE = `
SELECT k.account, k.cluster, k.epoch
FROM unnest($1::text[], $2::text[], $3::bigint[]) AS k(account, cluster, epoch)
WHERE NOT EXISTS (
  SELECT 1 FROM reconciliation_run r
  WHERE r.account = k.account AND r.cluster = k.cluster
    AND (r.ended_at IS NULL OR (r.started_at > $4 AND r.state <> 'SUPERSEDED'))
)`;

const EXPIRE = `
UPDATE reconciliation_run SET
  state = 'EXPIRED', ended_at = $1, error_reason = 'DeadlineExceeded', error_message = 'the run did not end before its deadline'
WHERE (account, cluster, id) IN (
  SELECT account, cluster, id FROM reconciliation_run
  WHERE ended_at IS NULL AND deadline_at <= $1
  FOR UPDATE SKIP LOCKED
)`;

const PURGE_RUNS = `
WITH old AS (
  DELETE FROM reconciliation_run WHERE ended_at < $1 RETURNING account, cluster, id
),
kinds AS (
  DELETE FROM reconciliation_kind k USING old
  WHERE k.account = old.account AND k.cluster = old.cluster AND k.run_id = old.id
)
DELETE FROM reconciliation_finding f USING old
WHERE f.account = old.account AND f.cluster = old.cluster AND f.run_id = old.id`;
