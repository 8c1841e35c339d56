import { notAcceptable } from "./api-status.ts";

/** How objects are written: whole, or their metadata alone. */
export type Representation = "whole" | "metadata";

const JSON_TYPES = new Set(["application/json", "application/*", "*/*"]);

/**
 * Picks the first clause of an `Accept` header that is served; answers 406 when there is none. Protobuf and
 * `as=Table` are not served: `kubectl` falls back to JSON, as it does with older servers.
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
