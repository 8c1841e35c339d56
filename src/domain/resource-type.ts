import type { ResourceType } from "../../gen/proto/evenkeel/v1/resource_pb.ts";

/** Name of a resource type. Without a version it means the version that the API server prefers. */
export interface ResourceTypeName {
  /** Empty for the core group. */
  readonly group: string;
  readonly version?: string | undefined;
  /** The plural name. */
  readonly resource: string;
}

const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const VERSION = /^v[1-9]\d{0,9}((alpha|beta)[1-9]\d{0,9})?$/;
const MAX_LENGTH = 400;

/** Wildcard for all resource types. */
export const ALL_RESOURCES = "*";

/** Returns the wildcard for all resource types of a group, such as "*.apps". */
export function wholeGroup(group: string): string {
  return `*.${group}`;
}

/** True if the text is a wildcard: "*" for all resource types, or "*.apps" for those of one group. */
export function isResourceWildcard(text: string): boolean {
  return text === ALL_RESOURCES || (text.startsWith("*.") && isGroup(text.slice(2)));
}

/**
 * Returns the identity of a resource type in kubectl's form: "deployments.apps", or "pods" for the core group; empty
 * for undefined. The version is not part of it, because all versions of a resource serve the same objects.
 */
export function resourceTypeKey(name: Pick<ResourceType, "group" | "resource"> | undefined): string {
  return name === undefined ? "" : joinParts(name.resource, name.group);
}

/**
 * Formats a resource type with its version in kubectl's form: "deployments.v1.apps", or "pods.v1." for the core
 * group.
 */
export function formatResourceType({ group, version, resource }: ResourceTypeName): string {
  return version ? `${resource}.${version}.${group}` : joinParts(resource, group);
}

/**
 * Parses kubectl's form: "pods", "deployments.apps", "deployments.v1.apps", "pods.v1.". As in kubectl, "pods.v1" is the
 * resource "pods" of a group "v1". The part after the first dot is a version if it has the form of a Kubernetes version
 * ("v1", "v1beta1") and another dot follows.
 *
 * @returns undefined for other texts and for wildcards
 */
export function parseResourceType(text: string): ResourceTypeName | undefined {
  if (text.length > MAX_LENGTH) {
    return undefined;
  }
  const [resource = "", ...rest] = text.split(".");
  const [version = "", ...group] = rest;
  const hasVersion = group.length > 0 && VERSION.test(version);
  const name = hasVersion
    ? { group: group.join("."), version, resource }
    : { group: rest.join("."), resource };
  // Only a version may be followed by an empty group.
  const isNamed = name.group === "" ? hasVersion || rest.length === 0 : isGroup(name.group);
  return LABEL.test(resource) && isNamed ? name : undefined;
}

function isGroup(text: string): boolean {
  return text.length <= MAX_LENGTH && text.split(".").every((label) => LABEL.test(label));
}

function joinParts(resource: string, group: string): string {
  return group === "" ? resource : `${resource}.${group}`;
}
