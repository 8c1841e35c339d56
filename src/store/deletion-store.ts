import type { DeletionSet } from "../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import type { ClusterSelection, Page, PageQuery } from "./fleet-store.ts";

/**
 * Deletion sets of an account, and the decisions about them. Every method sees that account only.
 *
 * Methods throw `RetryableError` while the database is unreachable. The decisions throw `NotFoundError` if there is no
 * such set, and `TerminalError` if its state or its size does not allow the decision.
 */
export interface DeletionStore {
  /** Returns sets without examples, the newest first. */
  list(signal: AbortSignal, account: string, query: DeletionQuery): Promise<Page<DeletionSet>>;
  /** Returns a set with its first objects. */
  get(signal: AbortSignal, account: string, id: string): Promise<DeletionSet | undefined>;
  /**
   * Deletes the rows of an open set, except those that were observed since, and ends the set as APPLIED. A run of the
   * cluster, which verifies the result, becomes due.
   */
  approve(signal: AbortSignal, account: string, id: string, approval: Approval): Promise<DeletionSet>;
  /** Marks a WITHHELD set as REJECTED. */
  reject(signal: AbortSignal, account: string, id: string, decidedBy: string): Promise<DeletionSet>;
}

/** Sets of a query. */
export interface DeletionQuery extends PageQuery, ClusterSelection {
  /** True if sets that have ended are requested too. */
  readonly includeClosed: boolean;
}

/** Approval of a set. */
export interface Approval {
  readonly decidedBy: string;
  /** Deletions that the caller saw; unset: any number. */
  readonly maxDeletions?: number;
}
