import type { StoreEntry } from "../mvcc-store.ts";
import type { SimulatedObject } from "../simulated-object.ts";
import { notAcceptable } from "./api-status.ts";

/** Representation of objects: whole, or their metadata only. */
export type Representation = "whole" | "metadata";

const JSON_TYPES = new Set(["application/json", "application/*", "*/*"]);

/**
 * Returns the representation of the first supported clause of an `Accept` header. Protobuf and `as=Table` are not
 * supported: `kubectl` falls back to JSON, as it does with older servers.
 *
 * @throws ApiStatusError (406) if no clause is supported
 */
export function negotiate(accept: string | undefined, shape: "object" | "list"): Representation {
  const metadataOnly = shape === "list" ? "PartialObjectMetadataList" : "PartialObjectMetadata";
  for (const clause of (accept ?? "*/*").split(",")) {
    const [mediaType = "", ...parameters] = clause.split(";").map((part) => part.trim());
    const { as, g, v } = Object.fromEntries(parameters.map((parameter) => parameter.split("=", 2)));
    if (!JSON_TYPES.has(mediaType)) {
      continue;
    }
    if (as === undefined) {
      return "whole";
    }
    if (as === metadataOnly && g === "meta.k8s.io" && v === "v1") {
      return "metadata";
    }
  }
  throw notAcceptable(`Available representations: application/json, application/json;as=${metadataOnly}`);
}

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
