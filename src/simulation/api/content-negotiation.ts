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
