import { create } from "@bufbuild/protobuf";
import { type ResourceType, ResourceTypeSchema } from "../../gen/proto/evenkeel/v1/resource_pb.ts";

/**
 * Identity of a kind, "group/resource", "/pods" for the core group. The version is no part of it: every
 * version of a resource serves the same objects.
 */
export function resourceTypeKey({ group, resource }: Pick<ResourceType, "group" | "resource">): string {
  return `${group}/${resource}`;
}

/** The kind as people write it: "apps/v1/deployments", "v1/pods" for the core group. */
export function formatResourceType({ group, version, resource }: ResourceType): string {
  return group === "" ? `${version}/${resource}` : `${group}/${version}/${resource}`;
}

/** The kind that a text such as "apps/v1/deployments", "v1/pods" or "/v1/pods" names, or undefined. */
export function parseResourceType(text: string): ResourceType | undefined {
  const parts = text.split("/");
  const [group, version, resource] = parts.length === 2 ? ["", ...parts] : parts;
  const named = group !== undefined && !!version && !!resource && parts.length <= 3;
  return named ? create(ResourceTypeSchema, { group, version, resource }) : undefined;
}

/** A kind as kubectl names resources: "deployments.apps", "pods" for the core group. */
export function formatResourceName(resourceType: ResourceType | undefined): string {
  if (resourceType === undefined) {
    return "";
  }
  return resourceType.group === "" ? resourceType.resource : `${resourceType.resource}.${resourceType.group}`;
}

/** Group and resource of "deployments.apps", "pods", "apps/v1/deployments" or "v1/pods". */
export function parseResourceName(text: string): { readonly group: string; readonly resource: string } {
  const resourceType = parseResourceType(text);
  if (resourceType !== undefined) {
    return { group: resourceType.group, resource: resourceType.resource };
  }
  const dot = text.indexOf(".");
  return dot === -1
    ? { group: "", resource: text }
    : { group: text.slice(dot + 1), resource: text.slice(0, dot) };
}
