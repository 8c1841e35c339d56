/** Order to the process of many API servers. */
export type FleetApiOrder =
  | {
      readonly type: "create";
      readonly clusters: readonly FleetCluster[];
      /** Objects of each cluster: pods, and ConfigMaps for a tenth of them. */
      readonly objects: number;
      /** Bytes of the canonical JSON of each pod. */
      readonly contentBytes: number;
      /** Database with the rows of the objects. */
      readonly databaseUrl: string;
    }
  /**
   * Writes every `everyMs`, in the clusters by turns, until "stop": changes of objects, and deletions of pods in
   * favor of new ones.
   */
  | { readonly type: "change"; readonly everyMs: number }
  | { readonly type: "stop" }
  | { readonly type: "sample" }
  | { readonly type: "list" };

/** A cluster, and the account of its agent. */
export interface FleetCluster {
  readonly account: string;
  readonly cluster: string;
}

/** Report of the process of many API servers. */
export type FleetApiReport =
  | { readonly type: "created"; readonly urls: Readonly<Record<string, string>> }
  | ({ readonly type: "sampled" } & Samples)
  | { readonly type: "stopped"; readonly changes: number; readonly seconds: number }
  | { readonly type: "objects"; readonly cluster: string; readonly objects: readonly ObjectState[] };

/** Times from changes to their rows. */
export interface Samples {
  /** Milliseconds of each change whose row was seen since the last report. */
  readonly latencies: readonly number[];
  /** Number of changes whose rows have not been seen. */
  readonly waiting: number;
}

/** Identity and version of an object: resource, namespace, name, uid, resourceVersion. */
export type ObjectState = readonly [
  resource: string,
  namespace: string,
  name: string,
  uid: string,
  version: string,
];

/** Resource types of the objects. */
export const FLEET_RESOURCES = ["pods", "configmaps"] as const;

/** Order to a process of many agents. */
export interface FleetAgentsOrder {
  readonly type: "start";
  readonly agents: readonly FleetAgent[];
  /** URLs of the servers. An agent uses the next one at each connection. */
  readonly servers: readonly string[];
}

/** An agent of {@link FleetAgentsOrder}. */
export interface FleetAgent {
  readonly cluster: string;
  readonly apiUrl: string;
  /** Unset for servers without authentication. */
  readonly token?: string;
}

/** Report of a process of many agents. */
export type FleetAgentsReport =
  | { readonly type: "started" }
  /** An agent has ended, which none should. */
  | { readonly type: "failed"; readonly message: string };
