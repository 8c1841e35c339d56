import { type ServedKind, toKindKey } from "../served-resources.ts";

/** What a path of the API names. */
export type Route =
  | { readonly kind: "health" }
  | { readonly kind: "version" }
  | { readonly kind: "core-versions" }
  | { readonly kind: "groups" }
  | { readonly kind: "group"; readonly group: string }
  | { readonly kind: "resources"; readonly group: string; readonly version: string }
  | { readonly kind: "unknown-resource" }
  | { readonly kind: "collection"; readonly served: ServedKind; readonly namespace: string | undefined }
  | {
      readonly kind: "object";
      readonly served: ServedKind;
      readonly namespace: string | undefined;
      readonly name: string;
    };

const healthPaths = new Set(["readyz", "livez", "healthz"]);

/**
 * Resolves a path against the served kinds. `undefined` when no group and version of the path is served: the real
 * server answers that in plain text, and an unknown resource of one that is served with a Status.
 */
export function parseRoute(path: string, kinds: readonly ServedKind[]): Route | undefined {
  const segments = decodeSegments(path);
  const [root, ...rest] = segments ?? [];
  if (root !== undefined && healthPaths.has(root) && rest.length === 0) {
    return { kind: "health" };
  }
  if (root === "version" && rest.length === 0) {
    return { kind: "version" };
  }
  if (root === "api") {
    const [version, ...below] = rest;
    return version === undefined ? { kind: "core-versions" } : parseBelowVersion("", version, below, kinds);
  }
  if (root === "apis") {
    const [group, version, ...below] = rest;
    if (group === undefined) {
      return { kind: "groups" };
    }
    if (!kinds.some((kind) => kind.group === group)) {
      return undefined;
    }
    return version === undefined ? { kind: "group", group } : parseBelowVersion(group, version, below, kinds);
  }
  return undefined;
}

function parseBelowVersion(
  group: string,
  version: string,
  segments: readonly string[],
  kinds: readonly ServedKind[],
): Route | undefined {
  if (!kinds.some((kind) => kind.group === group && kind.version === version)) {
    return undefined;
  }
  const find = (resource: string | undefined, namespaced: boolean): ServedKind | undefined =>
    kinds.find(
      (kind) =>
        toKindKey(kind) === `${group}/${resource}` &&
        kind.version === version &&
        kind.namespaced === namespaced,
    );
  if (segments.length === 0) {
    return { kind: "resources", group, version };
  }
  if (segments[0] === "namespaces" && segments.length > 2) {
    const [, namespace, resource, name, ...more] = segments;
    return toRoute(find(resource, true), namespace, name, more);
  }
  const [resource, name, ...more] = segments;
  const clusterScoped = find(resource, false);
  // A namespaced kind without a namespace in its path is listed over all of them; one object cannot be named.
  return clusterScoped === undefined && name === undefined
    ? toRoute(find(resource, true), undefined, undefined, more)
    : toRoute(clusterScoped, undefined, name, more);
}

function toRoute(
  served: ServedKind | undefined,
  namespace: string | undefined,
  name: string | undefined,
  more: readonly string[],
): Route {
  if (served === undefined || more.length > 0) {
    return { kind: "unknown-resource" };
  }
  return name === undefined
    ? { kind: "collection", served, namespace }
    : { kind: "object", served, namespace, name };
}

function decodeSegments(path: string): string[] | undefined {
  try {
    return path.split("/").filter(Boolean).map(decodeURIComponent);
  } catch {
    return undefined;
  }
}
