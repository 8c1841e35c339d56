/** Order to the process of a fleet's agents. */
export type FleetOrder =
  | {
      readonly type: "start";
      /** URL of the server. */
      readonly server: string;
      readonly clusters: readonly string[];
      /** Objects of each cluster, and the bytes of each object. */
      readonly objects: number;
      readonly contentBytes: number;
    }
  /** Changes `count` objects, one every `everyMs`, in the clusters by turns. */
  | { readonly type: "change"; readonly count: number; readonly everyMs: number };

/** Report of the process of a fleet's agents. */
export type FleetReport =
  | { readonly type: "started" }
  | { readonly type: "changed"; readonly changes: readonly FleetChange[] };

/** A change of an object. */
export interface FleetChange {
  /** Cluster and new resourceVersion of the object, as "cluster-1/1234". */
  readonly id: string;
  /** `process.hrtime.bigint()` before the change. All processes of the machine share this clock. */
  readonly at: string;
}
