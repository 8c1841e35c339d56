import type { ResourceType } from "../../gen/proto/evenkeel/v1/resource_pb.ts";

/** A resource type as people name it: without a version, the one that the API server prefers. */
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

/** The text that stands for all resource types. */
export const ALL_RESOURCES = "*";

/** The text that stands for all resource types of a group, such as "*.apps". */
export function wholeGroup(group: string): string {
  return `*.${group}`;
}

/** True if the text stands for all resource types, "*", or for those of one group, "*.apps". */
export function isResourceWildcard(text: string): boolean {
  return text === ALL_RESOURCES || (text.startsWith("*.") && isGroup(text.slice(2)));
}

/**
 * Identity of a resource type, as kubectl writes it: "deployments.apps", "pods" for the core group; empty for
 * a message without one. The version is no part of it: every version of a resource serves the same objects.
 */
export function resourceTypeKey(name: Pick<ResourceType, "group" | "resource"> | undefined): string {
  return name === undefined ? "" : joinParts(name.resource, name.group);
}

/**
 * The resource type with its version, as kubectl writes it: "deployments.v1.apps", "pods.v1." for the core
 * group.
 */
export function formatResourceType({ group, version, resource }: ResourceTypeName): string {
  return version ? `${resource}.${version}.${group}` : joinParts(resource, group);
}

/**
 * Parses kubectl's spelling: "pods", "deployments.apps", "deployments.v1.apps", "pods.v1.". As with kubectl,
 * "pods.v1" is the resource "pods" of a group "v1". The part after the first dot is a version if it looks
 * like one of Kubernetes ("v1", "v1beta1") and another dot follows.
 *
 * @returns undefined for other texts, wildcards included.
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
