import { ReconciliationTrigger } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { TerminalError } from "../../lib/errors.ts";
import type { Random } from "../../lib/random.ts";
import type { SessionRequest, SessionStore } from "../session-store.ts";
import { addRun } from "../sql/add-run.ts";
import { closeSession } from "../sql/end-sessions.ts";
import { findDuplicate } from "../sql/find-cluster.ts";
import { keepStandbys, removeStandby } from "../sql/keep-standbys.ts";
import { keepSessions } from "../sql/live-sessions.ts";
import {
  type ClusterState,
  findClusterState,
  openSession,
  type SessionOpening,
} from "../sql/open-session.ts";
import { selectStoredScope } from "../sql/session-scope.ts";
import { type Database, translated } from "./database.ts";

export interface SessionStoreOptions {
  /** True if an account may have one cluster under several names; default false. */
  readonly allowDuplicateClusters?: boolean;
}

/** Creates the store of agents' sessions in Postgres. */
export function createPgSessionStore(
  database: Database,
  random: Random,
  { allowDuplicateClusters = false }: SessionStoreOptions = {},
): SessionStore {
  return {
    async openSession(signal, request) {
      signal.throwIfAborted();
      return await database.transaction(request, async (client) => {
        const state = await findClusterState(client, request);
        if (state?.isRemoved) {
          throw new TerminalError(
            `cluster "${request.cluster}": removed by an operator; stop its agent, or free the name with ` +
              `"evenkeel admin cluster remove ${request.cluster} --forget"`,
            { info: { reason: "CLUSTER_REMOVED" } },
          );
        }
        if (state !== undefined && state.uid !== request.clusterUid) {
          throw new TerminalError(
            `cluster "${request.cluster}": expected kube-system uid ${state.uid}, ` +
              `found ${request.clusterUid}; give a cloned cluster its own name, and bind a rebuilt one with ` +
              `"evenkeel admin cluster rebind ${request.cluster} --uid ${request.clusterUid}"`,
            { info: { reason: "CLUSTER_UID_MISMATCH" } },
          );
        }
        const duplicate = allowDuplicateClusters ? undefined : await findDuplicate(client, request);
        if (duplicate !== undefined) {
          throw duplicateError(request, duplicate);
        }
        const activeInstanceId = findHolder(request, state);
        if (activeInstanceId !== undefined) {
          return { type: "held", activeInstanceId };
        }
        const opening = await openSession(client, request);
        const session = { account: request.account, cluster: request.cluster, epoch: opening.epoch };
        const connectRun = needsRun(request, state, opening)
          ? await addRun(client, session, {
              id: random.uuid(),
              initiator: request.initiator,
              trigger: ReconciliationTrigger.CONNECT,
              deadlineMs: request.runDeadlineMs,
            })
          : undefined;
        const storedScope = await selectStoredScope(client, session);
        return { type: "opened", ...session, connectRun, storedScope };
      });
    },

    async closeSession(signal, session, reserve) {
      signal.throwIfAborted();
      await translated(() => closeSession(database.pool, session, reserve));
    },

    async keepSessions(signal, sessions) {
      signal.throwIfAborted();
      return await translated(() => keepSessions(database.pool, random, sessions));
    },

    async keepStandbys(signal, standbys) {
      signal.throwIfAborted();
      return await translated(() => keepStandbys(database.pool, standbys));
    },

    async removeStandby(signal, standby) {
      signal.throwIfAborted();
      await translated(() => removeStandby(database.pool, standby));
    },
  };
}

function duplicateError({ cluster }: SessionRequest, duplicate: string): TerminalError {
  return new TerminalError(
    `cluster "${cluster}": expected a kube-system uid that is new in the account, found that of "${duplicate}"; ` +
      `start its agent with --cluster ${duplicate}, rename it with ` +
      `"evenkeel admin cluster rename ${duplicate} ${cluster}", or set --allow-duplicate-clusters on the server`,
    { info: { reason: "CLUSTER_DUPLICATE", metadata: { cluster: duplicate } } },
  );
}

/**
 * Returns the other agent that keeps the cluster's session. A session that no backend closed or confirmed is kept too,
 * until a standby has seen for some time that it is silent, and so is one that is reserved for its agent.
 */
function findHolder(request: SessionRequest, state: ClusterState | undefined): string | undefined {
  if (state === undefined || state.lastInstanceId === request.instanceId) {
    return undefined;
  }
  const isHeld = state.isOpen ? state.isAlive || !request.mayReplaceSilent : state.isReserved;
  return isHeld ? state.lastInstanceId : undefined;
}

/**
 * True if the session needs a run. A new agent process has lost the undelivered messages of the previous one. A
 * run on connect that ended with its session must be repeated. A session that lost a scope may have dropped objects of
 * it.
 */
function needsRun(
  request: SessionRequest,
  state: ClusterState | undefined,
  { supersededConnect }: SessionOpening,
): boolean {
  return supersededConnect || state?.lastInstanceId !== request.instanceId || state.wasRestarted;
}
