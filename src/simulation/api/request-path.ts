import type { ServedResource } from "../served-resources.ts";

/** Target of a path of the API. */
export type Route =
  | { readonly type: "health" }
  | { readonly type: "version" }
  | { readonly type: "core-versions" }
  | { readonly type: "groups" }
  | { readonly type: "group"; readonly group: string }
  | { readonly type: "resources"; readonly group: string; readonly version: string }
  | { readonly type: "unknown-resource" }
  | { readonly type: "collection"; readonly served: ServedResource; readonly namespace: string | undefined }
  | {
      readonly type: "object";
      readonly served: ServedResource;
      readonly namespace: string | undefined;
      readonly name: string;
    };

const HEALTH_PATHS = new Set(["readyz", "livez", "healthz"]);

/**
 * Resolves a path against the served resource types. Returns undefined if the group and version of the path are not
 * served: the real server answers that in plain text, but an unknown resource of a served version with a Status.
 */
export function parseRoute(path: string, resources: readonly ServedResource[]): Route | undefined {
  const segments = decodeSegments(path);
  const [root, ...rest] = segments ?? [];
  if (root !== undefined && HEALTH_PATHS.has(root) && rest.length === 0) {
    return { type: "health" };
  }
  if (root === "version" && rest.length === 0) {
    return { type: "version" };
  }
  if (root === "api") {
    const [version, ...below] = rest;
    return version === undefined
      ? { type: "core-versions" }
      : parseBelowVersion("", version, below, resources);
  }
  if (root === "apis") {
    const [group, version, ...below] = rest;
    if (group === undefined) {
      return { type: "groups" };
    }
    if (!resources.some((resourceType) => resourceType.group === group)) {
      return undefined;
    }
    return version === undefined
      ? { type: "group", group }
      : parseBelowVersion(group, version, below, resources);
  }
  return undefined;
}

function parseBelowVersion(
  group: string,
  version: string,
  segments: readonly string[],
  resources: readonly ServedResource[],
): Route | undefined {
  if (!resources.some((resourceType) => resourceType.group === group && resourceType.version === version)) {
    return undefined;
  }
  const find = (resource: string | undefined, namespaced: boolean): ServedResource | undefined =>
    resources.find(
      (resourceType) =>
        resourceType.group === group &&
        resourceType.resource === resource &&
        resourceType.version === version &&
        resourceType.namespaced === namespaced,
    );
  if (segments.length === 0) {
    return { type: "resources", group, version };
  }
  if (segments[0] === "namespaces" && segments.length > 2) {
    const [, namespace, resource, name, ...more] = segments;
    return toRoute(find(resource, true), namespace, name, more);
  }
  const [resource, name, ...more] = segments;
  const clusterScoped = find(resource, false);
  // A path without a namespace can list a namespaced resource type over all namespaces, but cannot name one object.
  return clusterScoped === undefined && name === undefined
    ? toRoute(find(resource, true), undefined, undefined, more)
    : toRoute(clusterScoped, undefined, name, more);
}

function toRoute(
  served: ServedResource | undefined,
  namespace: string | undefined,
  name: string | undefined,
  more: readonly string[],
): Route {
  if (served === undefined || more.length > 0) {
    return { type: "unknown-resource" };
  }
  return name === undefined
    ? { type: "collection", served, namespace }
    : { type: "object", served, namespace, name };
}

function decodeSegments(path: string): string[] | undefined {
  try {
    return path.split("/").filter(Boolean).map(decodeURIComponent);
  } catch {
    return undefined;
  }
}
