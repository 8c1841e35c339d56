import type { ReconciliationRequest } from "../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import type { ResourceType } from "../../gen/proto/evenkeel/v1/resource_pb.ts";

/** An agent that wants a session. */
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
  /** The bus forgets with this backend: a backend that the cluster was not connected to calls for a run. */
  readonly volatileBus: boolean;
  readonly runDeadlineMs: number;
}

/** A session of a cluster. */
export interface SessionKey {
  readonly account: string;
  readonly cluster: string;
  readonly epoch: bigint;
}

/** A session that was opened. */
export interface OpenedSession extends SessionKey {
  /** The run to request after the session's first scope, if one is needed. */
  readonly connectRun: ReconciliationRequest | undefined;
  /** Resource types in the scope that earlier sessions declared. */
  readonly storedScope: readonly ResourceType[];
}

/** Sessions of agents. Methods throw `RetryableError` while the database cannot be reached. */
export interface SessionStore {
  /**
   * Opens a session: takes the next epoch, binds or checks the cluster's uid, closes the older sessions and
   * supersedes their active run, all at once. Throws `TerminalError` when the name is bound to another uid.
   */
  openSession(signal: AbortSignal, request: SessionRequest): Promise<OpenedSession>;
  /** Closes the session; a newer session of the cluster is not touched. */
  closeSession(signal: AbortSignal, session: SessionKey): Promise<void>;
  /** Says that these sessions are alive, and returns those that are no longer current. */
  keepSessions(signal: AbortSignal, sessions: readonly SessionKey[]): Promise<SessionKey[]>;
}

/** Time after which a session that no backend has kept is shown as not connected, in milliseconds. */
export const SESSION_TIMEOUT_MS = 30_000;
