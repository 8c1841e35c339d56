import type { ResourceKey } from "../simulation/served-resources.ts";

/** Type of an injected difference between the copy and the cluster. */
export type DriftType =
  | "lost-event"
  | "edited-content"
  | "deleted-row"
  | "ghost-row"
  | "absurd-version"
  | "deleted-resource-type";

/** All types of drift, in the order of injection. */
export const DRIFT_TYPES: readonly DriftType[] = [
  "lost-event",
  "edited-content",
  "deleted-row",
  "ghost-row",
  "absurd-version",
  "deleted-resource-type",
];

/** An object with a wrong, missing or ghost row. */
export interface DriftedObject {
  readonly resourceKey: ResourceKey;
  /** Empty for cluster-scoped objects. */
  readonly namespace: string;
  readonly name: string;
}

/** Drift that was injected. */
export interface InjectedDrift {
  readonly type: DriftType;
  readonly time: Date;
  /** One or more objects of one resource type. */
  readonly objects: readonly [DriftedObject, ...DriftedObject[]];
}
