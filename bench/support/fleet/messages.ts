/** Order to the process of many API servers. */
export type FleetApiOrder =
  | {
      readonly type: "create";
      readonly clusters: readonly string[];
      /** Objects of each cluster: pods, and ConfigMaps for a tenth of them. */
      readonly objects: number;
      /** Bytes of the canonical JSON of each pod. */
      readonly contentBytes: number;
    }
  /**
   * Writes every `everyMs`, in the clusters by turns, until "stop": changes of objects, and deletions of pods in
   * favor of new ones.
   */
  | { readonly type: "change"; readonly everyMs: number }
  | { readonly type: "stop" }
  | { readonly type: "list" };

/** Report of the process of many API servers. */
export type FleetApiReport =
  | { readonly type: "created"; readonly urls: Readonly<Record<string, string>> }
  | ({ readonly type: "changed" } & SampledChange)
  | { readonly type: "stopped"; readonly changes: number; readonly seconds: number }
  | { readonly type: "objects"; readonly cluster: string; readonly objects: readonly ObjectState[] };

/** A change of an object, one in {@link SAMPLE_EVERY}. */
export interface SampledChange {
  readonly cluster: string;
  readonly state: ObjectState;
  /** `process.hrtime.bigint()` before the change. All processes of the machine share this clock. */
  readonly at: string;
}

/** Identity and version of an object: resource, namespace, name, uid, resourceVersion. */
export type ObjectState = readonly [
  resource: string,
  namespace: string,
  name: string,
  uid: string,
  version: string,
];

/** Has no common factor with the number of clusters, so that the samples are of all clusters. */
export const SAMPLE_EVERY = 7;

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
