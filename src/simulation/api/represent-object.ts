import type { StoreEntry } from "../mvcc-store.ts";
import type { KubeObject } from "../simulated-object.ts";
import type { Representation } from "./content-negotiation.ts";

/** The object as a client sees it: its version is the revision of its last write. */
export function toKubeObject({
  value,
  modRevision,
}: Pick<StoreEntry<KubeObject>, "value" | "modRevision">): KubeObject {
  return { ...value, metadata: { ...value.metadata, resourceVersion: String(modRevision) } };
}

/** The object in a representation, with its own `kind` and `apiVersion`. */
export function represent(object: KubeObject, representation: Representation): KubeObject {
  return representation === "whole"
    ? object
    : { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata: object.metadata };
}
