import type { ResourceKey } from "../simulation/served-resources.ts";

/** How the copy in Postgres was made to differ from the cluster. */
export type DriftType =
  | "lost-event"
  | "edited-content"
  | "deleted-row"
  | "ghost-row"
  | "absurd-version"
  | "deleted-resource-type";

/** Every kind of drift, in the order in which they are injected. */
export const DRIFT_TYPES: readonly DriftType[] = [
  "lost-event",
  "edited-content",
  "deleted-row",
  "ghost-row",
  "absurd-version",
  "deleted-resource-type",
];

/** An object whose row is wrong, or missing, or should not be there. */
export interface DriftedObject {
  readonly resourceKey: ResourceKey;
  /** Empty for objects of cluster scope. */
  readonly namespace: string;
  readonly name: string;
}

/** Something that was broken on purpose. */
export interface InjectedDrift {
  readonly type: DriftType;
  readonly time: Date;
  /** At least one; all are of one kind. */
  readonly objects: readonly [DriftedObject, ...DriftedObject[]];
}
