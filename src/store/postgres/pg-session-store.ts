import { ReconciliationTrigger } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { TerminalError } from "../../lib/errors.ts";
import type { Random } from "../../lib/random.ts";
import type { SessionRequest, SessionStore } from "../session-store.ts";
import { addRun } from "../sql/add-run.ts";
import { closeSession } from "../sql/close-session.ts";
import { keepSessions } from "../sql/keep-sessions.ts";
import { openSession, type SessionOpening } from "../sql/open-session.ts";
import { selectStoredScope } from "../sql/select-stored-scope.ts";
import { type Database, translated } from "./database.ts";

/** Creates the store of agents' sessions in Postgres. */
export function createPgSessionStore(database: Database, random: Random): SessionStore {
  return {
    async openSession(signal, request) {
      signal.throwIfAborted();
      return await database.transaction(request, async (client) => {
        const opening = await openSession(client, request);
        if (opening.boundUid !== request.clusterUid) {
          throw new TerminalError(
            `cluster "${request.cluster}": expected kube-system uid ${opening.boundUid}, ` +
              `found ${request.clusterUid}; give a rebuilt or cloned cluster its own name`,
            { info: { reason: "CLUSTER_UID_MISMATCH" } },
          );
        }
        const session = { account: request.account, cluster: request.cluster, epoch: opening.epoch };
        const connectRun = needsRun(request, opening)
          ? await addRun(client, session, {
              id: random.uuid(),
              initiator: request.initiator,
              trigger: ReconciliationTrigger.CONNECT,
              deadlineMs: request.runDeadlineMs,
            })
          : undefined;
        const storedScope = await selectStoredScope(client, session);
        return { ...session, connectRun, storedScope };
      });
    },

    async closeSession(signal, session) {
      signal.throwIfAborted();
      await translated(() => closeSession(database.pool, session));
    },

    async keepSessions(signal, sessions) {
      signal.throwIfAborted();
      return await translated(() => keepSessions(database.pool, sessions));
    },
  };
}

/**
 * True if the session needs a run. A new agent process has lost the undelivered messages of the previous one. With a
 * bus in memory, so has a new backend. A run on connect that ended with its session must be repeated.
 */
function needsRun(request: SessionRequest, opening: SessionOpening): boolean {
  const { lastInstanceId, lastReplyTopic, supersededConnect } = opening;
  return (
    supersededConnect ||
    lastInstanceId !== request.instanceId ||
    (request.volatileBus && lastReplyTopic !== request.replyTopic)
  );
}
