import type { ReconciliationRequest } from "../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import type { ResourceType } from "../../gen/proto/evenkeel/v1/resource_pb.ts";

/** An agent's request for a session. */
export interface SessionRequest {
  readonly account: string;
  readonly cluster: string;
  readonly clusterUid: string;
  readonly instanceId: string;
  readonly agentVersion: string;
  /** Version of the cluster's API server; empty if unknown. */
  readonly kubernetesVersion: string;
  /** Role that requests the run on connect. */
  readonly initiator: string;
  /** Topic on which this backend reads answers. */
  readonly replyTopic: string;
  readonly runDeadlineMs: number;
  /** True if {@link SessionStore.keepStandbys} returned this agent: then it may replace a silent session. */
  readonly mayReplaceSilent: boolean;
}

/** A session of a cluster. */
export interface SessionKey {
  readonly account: string;
  readonly cluster: string;
  readonly epoch: bigint;
}

/** A session that was opened. */
export interface OpenedSession extends SessionKey {
  readonly type: "opened";
  /** The run to request after the session's first scope, if one is needed. */
  readonly connectRun: ReconciliationRequest | undefined;
  /** Resource types in the scope that earlier sessions declared. */
  readonly storedScope: readonly ResourceType[];
}

/** A session that must end, because a newer one replaced it, or so that its agent declares its scope again. */
export type EndedSession =
  | { readonly type: "replaced"; readonly session: SessionKey }
  | {
      readonly type: "restart";
      readonly session: SessionKey;
      /** The reason, for people. */
      readonly reason: string;
    };

/** A cluster whose session belongs to another agent. */
export interface HeldCluster {
  readonly type: "held";
  /** Agent that has the session. */
  readonly activeInstanceId: string;
}

/** An agent that waits for the session of its cluster. */
export interface StandbyKey {
  readonly account: string;
  readonly cluster: string;
  readonly instanceId: string;
}

/** A waiting agent, with its version. */
export interface StandbyAgent extends StandbyKey {
  readonly agentVersion: string;
}

/** Store of agents' sessions. Methods throw `RetryableError` while the database is unreachable. */
export interface SessionStore {
  /**
   * Opens a session in one transaction: assigns the next epoch, binds or checks the cluster's uid, closes the older
   * sessions and supersedes their active run. While another agent's session is open, it changes nothing and returns a
   * {@link HeldCluster}.
   *
   * @throws TerminalError (CLUSTER_UID_MISMATCH) if the name is bound to another uid
   * @throws TerminalError (CLUSTER_REMOVED) if an operator has removed the cluster
   * @throws TerminalError (CLUSTER_DUPLICATE) if the account has the uid under another name
   */
  openSession(signal: AbortSignal, request: SessionRequest): Promise<OpenedSession | HeldCluster>;
  /**
   * Closes the session. A newer session of the cluster stays open. `reserve`: the backend ended it for its own reasons,
   * so no standby may take over before its agent had half a minute to reconnect.
   */
  closeSession(signal: AbortSignal, session: SessionKey, reserve: boolean): Promise<void>;
  /** Records that these sessions are alive, and returns those that must end. */
  keepSessions(signal: AbortSignal, sessions: readonly SessionKey[]): Promise<EndedSession[]>;
  /**
   * Records that these standbys wait, and returns those whose cluster has no session that is open and alive. Until a
   * standby has been recorded for some seconds without a pause, a silent session counts as alive: after an outage of
   * the database, its backend confirms it first.
   */
  keepStandbys(signal: AbortSignal, standbys: readonly StandbyAgent[]): Promise<StandbyKey[]>;
  /** Records that the standby has left. */
  removeStandby(signal: AbortSignal, standby: StandbyKey): Promise<void>;
}

/** Time after which a session that no backend keeps counts as not connected, in milliseconds. */
export const SESSION_TIMEOUT_MS = 30_000;

/**
 * Time in the future up to which a last sign of life counts, in milliseconds. A later one is from before the database's
 * clock went back.
 */
export const SESSION_AHEAD_MS = 5_000;

/** True if a last sign of life proves at `now`, the time of the database, that the session is alive. */
export function isRecent(seenAt: Date, now: Date): boolean {
  const age = now.getTime() - seenAt.getTime();
  return age <= SESSION_TIMEOUT_MS && age >= -SESSION_AHEAD_MS;
}
