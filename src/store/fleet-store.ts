import type {
  Cluster,
  KubernetesObject as FleetObject,
  ReconciliationFinding,
  ReconciliationRun,
} from "../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import type { ObjectRef } from "../../gen/proto/evenkeel/v1/resource_pb.ts";

/**
 * What is known of the clusters of an account, to be read. Every method sees that account only.
 *
 * Methods throw `RetryableError` while the database cannot be reached, and `InvalidArgumentError` for a position that
 * is none of theirs.
 */
export interface FleetStore {
  /** Clusters by name, without kinds. */
  listClusters(signal: AbortSignal, account: string, query: ClusterQuery): Promise<Page<Cluster>>;
  /** The cluster with its kinds by group and resource. */
  getCluster(signal: AbortSignal, account: string, name: string): Promise<Cluster | undefined>;
  /** Objects, present or quarantined, by group, resource, namespace and name, in the order of their bytes. */
  listObjects(signal: AbortSignal, account: string, query: ObjectQuery): Promise<Page<FleetObject>>;
  /** The object with its content. The version of the ref's kind is not looked at. */
  getObject(
    signal: AbortSignal,
    account: string,
    cluster: string,
    ref: ObjectRef,
  ): Promise<FleetObject | undefined>;
  /** Runs, the newest first. */
  listRuns(signal: AbortSignal, account: string, query: RunQuery): Promise<Page<ReconciliationRun>>;
  getRun(signal: AbortSignal, account: string, id: string): Promise<ReconciliationRun | undefined>;
  /** Runs that are active, and those that ended at or after `endedSince`, the oldest first. */
  listOpenRuns(signal: AbortSignal, account: string, query: OpenRunQuery): Promise<ReconciliationRun[]>;
  /** Findings of a run by group, resource, namespace and name. */
  listFindings(
    signal: AbortSignal,
    account: string,
    runId: string,
    page: PageQuery,
  ): Promise<Page<ReconciliationFinding>>;
}

/** Where a page begins, and how long it may be. */
export interface PageQuery {
  /** Behind this position; unset is the beginning. */
  readonly after: Position | undefined;
  readonly limit: number;
}

/** A place in a list: the key of the entry in front of it. Only the store that gave it knows what is in it. */
export type Position = readonly string[];

/** A part of a list. */
export interface Page<T> {
  readonly items: readonly T[];
  /** Where the next page begins; unset on the last. */
  readonly next: Position | undefined;
}

/** Which objects. */
export interface ObjectQuery extends PageQuery, ClusterSelection {
  /** Empty: all resource types. */
  readonly resources: readonly ResourceSelection[];
  /** Unset: all; empty: cluster-scoped objects. */
  readonly namespace: string | undefined;
  /** Unset: all. */
  readonly namePrefix: string | undefined;
  /** True to return the content too. */
  readonly hasContent: boolean;
}

/** Resource types of a query. */
export interface ResourceSelection {
  /** Unset: all; empty: the core group. */
  readonly group: string | undefined;
  /** Unset: all. */
  readonly resource: string | undefined;
}

/** Clusters of a query. */
export interface ClusterSelection {
  /** Unset: all. */
  readonly clusters: readonly string[] | undefined;
}

/** Which clusters. */
export interface ClusterQuery extends PageQuery {
  /** Unset: all. */
  readonly namePrefix?: string | undefined;
}

/** Which runs. */
export type RunQuery = PageQuery & ClusterSelection;

/** Which runs to watch. */
export interface OpenRunQuery extends ClusterSelection {
  readonly endedSince: Date;
}
