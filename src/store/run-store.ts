import type { ReconciliationTrigger } from "../../gen/proto/evenkeel/v1/batch_pb.ts";
import type { Failure, ReconciliationRequest } from "../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import type { SessionKey } from "./session-store.ts";

/** A run to be made. */
export interface RunRequest {
  readonly account: string;
  readonly cluster: string;
  readonly trigger: ReconciliationTrigger;
  readonly deadlineMs: number;
}

/** A run that was made, and the session that it belongs to. */
export interface RequestedRun {
  readonly session: SessionKey;
  readonly clusterUid: string;
  readonly request: ReconciliationRequest;
}

/** Why a run failed. */
export type RunFailure = Pick<Failure, "reason" | "message">;

/** Reconciliation runs. Methods throw `RetryableError` while the database cannot be reached. */
export interface RunStore {
  /**
   * Makes a run in the state REQUESTED for the cluster's open session. Throws `NotFoundError` for an unknown
   * cluster, `TerminalError` when it is not connected, and `ConflictError` while another run of it is active.
   */
  createRun(signal: AbortSignal, run: RunRequest): Promise<RequestedRun>;
  /** Ends the run as FAILED, unless it has ended. */
  failRun(signal: AbortSignal, session: SessionKey, runId: string, failure: RunFailure): Promise<void>;
  /** Those of the sessions whose last run began more than `intervalMs` ago and that have none active. */
  listDue(signal: AbortSignal, sessions: readonly SessionKey[], intervalMs: number): Promise<SessionKey[]>;
  /** Ends as EXPIRED the runs whose deadline has passed; several that sweep at once share them. */
  expireRuns(signal: AbortSignal): Promise<number>;
  /** Removes runs, findings and closed sessions that ended more than `retentionMs` ago. */
  purge(signal: AbortSignal, retentionMs: number): Promise<void>;
}

/** Role in which Evenkeel's own backend asks for runs. */
export const INITIATOR = "evenkeel/backend";
