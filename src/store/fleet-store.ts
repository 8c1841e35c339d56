import type {
  Cluster,
  KubernetesObject as FleetObject,
  ReconciliationFinding,
  ReconciliationRun,
} from "../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import type { ObjectRef } from "../../gen/proto/evenkeel/v1/resource_pb.ts";

/**
 * Read access to the clusters of an account. Every method sees that account only.
 *
 * Methods throw `RetryableError` while the database is unreachable, and `InvalidArgumentError` for the position of
 * another list.
 */
export interface FleetStore {
  /** Returns clusters by name, without their resource types. */
  listClusters(signal: AbortSignal, account: string, query: ClusterQuery): Promise<Page<Cluster>>;
  /** Returns the cluster with its resource types, by group and resource. */
  getCluster(signal: AbortSignal, account: string, name: string): Promise<Cluster | undefined>;
  /** Returns present and quarantined objects by group, resource, namespace and name, in the order of their bytes. */
  listObjects(signal: AbortSignal, account: string, query: ObjectQuery): Promise<Page<FleetObject>>;
  /** Returns the object with its content. Ignores the API version of the ref. */
  getObject(
    signal: AbortSignal,
    account: string,
    cluster: string,
    ref: ObjectRef,
  ): Promise<FleetObject | undefined>;
  /** Returns runs, the newest first. */
  listRuns(signal: AbortSignal, account: string, query: RunQuery): Promise<Page<ReconciliationRun>>;
  getRun(signal: AbortSignal, account: string, id: string): Promise<ReconciliationRun | undefined>;
  /** Returns the active runs and those that ended in the last `endedWithinMs`, the oldest first. */
  listOpenRuns(signal: AbortSignal, account: string, query: OpenRunQuery): Promise<ReconciliationRun[]>;
  /** Returns the findings of a run, for a dry run what it would repair, by group, resource, namespace and name. */
  listFindings(
    signal: AbortSignal,
    account: string,
    runId: string,
    page: PageQuery,
  ): Promise<Page<ReconciliationFinding>>;
}

/** Begin and length of a page. */
export interface PageQuery {
  /** Position before the first entry; unset: the beginning. */
  readonly after: Position | undefined;
  readonly limit: number;
}

/** Position in a list: the key of the entry before it. Opaque to all but the store that returned it. */
export type Position = readonly string[];

/** Page of a list. */
export interface Page<T> {
  readonly items: readonly T[];
  /** Position of the next page; unset on the last page. */
  readonly next: Position | undefined;
}

/** Objects of a query. */
export interface ObjectQuery extends PageQuery, ClusterSelection {
  /** Empty: all resource types. */
  readonly resources: readonly ResourceSelection[];
  /** Unset: all; empty: cluster-scoped objects. */
  readonly namespace: string | undefined;
  /** Unset: all. */
  readonly namePrefix: string | undefined;
  /** True if the content is requested too. */
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

/** Clusters of a list. */
export interface ClusterQuery extends PageQuery {
  /** Unset: all. */
  readonly namePrefix?: string | undefined;
}

/** Runs of a list. */
export type RunQuery = PageQuery & ClusterSelection;

/** Runs of a watch. */
export interface OpenRunQuery {
  readonly endedWithinMs: number;
  /** Ids of runs that are left out. */
  readonly except: readonly string[];
}
