import type { StoreEntry } from "../mvcc-store.ts";
import type { SimulatedObject } from "../simulated-object.ts";
import type { Representation } from "./content-negotiation.ts";

/** Returns the object with its resource version, the revision of its last write. */
export function withResourceVersion({
  value,
  modRevision,
}: Pick<StoreEntry<SimulatedObject>, "value" | "modRevision">): SimulatedObject {
  return { ...value, metadata: { ...value.metadata, resourceVersion: String(modRevision) } };
}

/** Returns the object in a representation, with its own `kind` and `apiVersion`. */
export function represent(object: SimulatedObject, representation: Representation): SimulatedObject {
  return representation === "whole"
    ? object
    : { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata: object.metadata };
}
