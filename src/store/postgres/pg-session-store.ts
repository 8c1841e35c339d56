import { ReconciliationTrigger } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import type { Clock } from "../../lib/clock.ts";
import { TerminalError } from "../../lib/errors.ts";
import type { Random } from "../../lib/random.ts";
import type { SessionRequest, SessionStore } from "../session-store.ts";
import { addRun } from "../sql/add-run.ts";
import { openSession, type SessionOpening } from "../sql/open-session.ts";
import { type Database, translated } from "./database.ts";

/** Sessions of agents in Postgres. */
export function createPgSessionStore(database: Database, clock: Clock, random: Random): SessionStore {
  return {
    async openSession(signal, request) {
      signal.throwIfAborted();
      return await database.transaction(request, async (client) => {
        const now = clock.now();
        const opening = await openSession(client, request, now);
        if (opening.boundUid !== request.clusterUid) {
          throw new TerminalError(
            `cluster "${request.cluster}" is bound to kube-system uid ${opening.boundUid}, and this agent reads one with uid ${request.clusterUid}; give the rebuilt or cloned cluster a name of its own`,
          );
        }
        const session = { account: request.account, cluster: request.cluster, epoch: opening.epoch };
        const connectRun = needsRun(request, opening)
          ? await addRun(client, session, {
              id: random.uuid(),
              trigger: ReconciliationTrigger.CONNECT,
              now,
              deadlineMs: request.runDeadlineMs,
            })
          : undefined;
        return { ...session, connectRun };
      });
    },

    async closeSession(signal, { account, cluster, epoch }) {
      signal.throwIfAborted();
      await translated(() =>
        database.prisma.agentSession.updateMany({
          where: { account, cluster, epoch, closedAt: null },
          data: { closedAt: clock.now() },
        }),
      );
    },

    async keepSessions(signal, sessions) {
      signal.throwIfAborted();
      const { rows } = await translated(() =>
        database.pool.query<{ account: string; cluster: string; epoch: string }>(KEEP, [
          sessions.map(({ account }) => account),
          sessions.map(({ cluster }) => cluster),
          sessions.map(({ epoch }) => epoch),
          clock.now(),
        ]),
      );
      const current = new Set(rows.map((row) => `${row.account} ${row.cluster} ${row.epoch}`));
      return sessions.filter(({ account, cluster, epoch }) => !current.has(`${account} ${cluster} ${epoch}`));
    },
  };
}

/**
 * A new process holds nothing of what the one before had not delivered; and with a bus that forgets, neither does
 * a new backend. A run on connect that ended with its session is still owed.
 */
function needsRun(request: SessionRequest, opening: SessionOpening): boolean {
  const { lastInstanceId, lastReplyTopic, supersededConnect } = opening;
  return (
    supersededConnect ||
    lastInstanceId !== request.instanceId ||
    (request.volatileBus && lastReplyTopic !== request.replyTopic)
  );
}

const KEEP = `
UPDATE agent_session s SET seen_at = $4
FROM unnest($1::text[], $2::text[], $3::bigint[]) AS k(account, cluster, epoch), cluster c
WHERE s.account = k.account AND s.cluster = k.cluster AND s.epoch = k.epoch AND s.closed_at IS NULL
  AND c.account = k.account AND c.name = k.cluster AND c.epoch = k.epoch
RETURNING s.account, s.cluster, s.epoch`;
