import type { ReconciliationTrigger } from "../../gen/proto/evenkeel/v1/batch_pb.ts";
import type { Failure } from "../../gen/proto/evenkeel/v1/failure_pb.ts";
import type { ReconciliationRequest } from "../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import type { SessionKey } from "./session-store.ts";

/** A run to create. */
export interface RunRequest {
  readonly account: string;
  readonly cluster: string;
  /** ID of the run; unset: a random one. */
  readonly id?: string;
  /** Role that requests the run. */
  readonly initiator: string;
  readonly trigger: ReconciliationTrigger;
  readonly deadlineMs: number;
  /** True to change nothing; default false. */
  readonly dryRun?: boolean;
}

/** A run that was created, and the session that it belongs to. */
export interface RequestedRun {
  readonly session: SessionKey;
  readonly clusterUid: string;
  readonly request: ReconciliationRequest;
}

/** A session, and the cluster that it is bound to. */
export interface RunSession extends SessionKey {
  readonly clusterUid: string;
}

/** Failure of a run. */
export type RunFailure = Pick<Failure, "reason" | "message">;

/** Store of reconciliation runs. Methods throw `RetryableError` while the database is unreachable. */
export interface RunStore {
  /**
   * Creates a run in the state REQUESTED for the cluster's open session.
   *
   * @throws NotFoundError for an unknown cluster
   * @throws TerminalError (NOT_CONNECTED) if the cluster is not connected
   * @throws ConflictError (RUN_ACTIVE) while another run of it is active, or if the ID is taken
   */
  createRun(signal: AbortSignal, run: RunRequest): Promise<RequestedRun>;
  /** Returns the active runs of these sessions that no ingester has begun to answer. */
  listRequested(signal: AbortSignal, sessions: readonly RunSession[]): Promise<RequestedRun[]>;
  /** Ends the run as FAILED, unless it has ended. */
  failRun(signal: AbortSignal, session: SessionKey, runId: string, failure: RunFailure): Promise<void>;
  /** Returns the sessions without an active run whose last run, except dry runs, began more than `intervalMs` ago. */
  listDue(signal: AbortSignal, sessions: readonly SessionKey[], intervalMs: number): Promise<SessionKey[]>;
  /** Ends as EXPIRED the runs whose deadline has passed, each once. Returns the number that this call ended. */
  expireRuns(signal: AbortSignal): Promise<number>;
  /** Removes runs, findings and closed sessions that ended more than `retentionMs` ago, and standbys that are gone. */
  purge(signal: AbortSignal, retentionMs: number): Promise<void>;
}
