import { create, toBinary } from "@bufbuild/protobuf";
import { type ResourceType, ResourceTypeSchema } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import { type ResourceScope, ResourceScopeSchema } from "../../../gen/proto/evenkeel/v1/scope_pb.ts";
import {
  MAX_DISCOVERY_NAME_LENGTH,
  MAX_DISCOVERY_NAMES,
  MAX_SCOPE_PAIRS,
  MAX_SCOPE_RESOURCES,
  MAX_SYNC_REQUEST_BYTES,
} from "../../domain/limits.ts";
import {
  ALL_RESOURCES,
  formatResourceType,
  isResourceWildcard,
  parseResourceType,
  type ResourceTypeName,
  resourceTypeKey,
  wholeGroup,
} from "../../domain/resource-type.ts";
import { describePairs } from "../../domain/scope-rules.ts";
import { findViolation } from "../../domain/validation.ts";
import type { DiscoveredResource, Discovery, UnansweredGroup } from "../../kube/discovery.ts";
import { ConfigError } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import { truncate } from "../../lib/text.ts";

/** The resource types and namespaces that the configuration selects. */
export interface SelectionOptions {
  /** Names such as "pods" and "deployments.v1.apps", "*.apps" for a whole group, "*" for all. */
  readonly resources: readonly string[];
  /** Names and groups that wildcards exclude. */
  readonly excludeResources: readonly string[];
  /** Namespaces to read; empty: all. */
  readonly namespaces: readonly string[];
  /** Receives the first report of each resource type and group that the contract cannot carry. */
  readonly log?: Log;
}

/** A resource type in the scope, and how it is read. */
export interface SelectedResource {
  readonly scope: ResourceScope;
  /** Namespaces to read; empty for all, and for cluster-scoped resource types. */
  readonly namespaces: readonly string[];
  /** True if the server can watch it; otherwise it is only listed. */
  readonly isWatchable: boolean;
}

/**
 * Returns a function that is true for the resource types that the configuration selects by name or wildcard, also for
 * those that the server does not serve.
 */
export function createResourceFilter(config: SelectionOptions): (resourceType: ResourceType) => boolean {
  const named = parseNamed(config.resources.filter((text) => !isResourceWildcard(text)));
  const isImplied = createWildcardFilter(config);
  return (resourceType) => named.has(resourceTypeKey(resourceType)) || isImplied(resourceType);
}

/** Returns the named resource types that the discovery lacks, as they are spelled in the configuration. */
export function findMissing({ resources }: Discovery, config: SelectionOptions): string[] {
  const isServed = ({ group, resource, version }: ResourceTypeName): boolean =>
    resources.some(
      (found) =>
        found.group === group && found.resource === resource && (version ?? found.version) === found.version,
    );
  return config.resources.filter((text) => {
    const name = isResourceWildcard(text) ? undefined : parseResourceType(text);
    return name !== undefined && !isServed(name);
  });
}

/** Resource types in the scope, and groups that leave the selection open. */
export interface SelectionResult {
  readonly resources: readonly SelectedResource[];
  /**
   * Groups whose discovery failed and that may have selected resource types: their absence proves nothing.
   */
  readonly undecided: readonly UnansweredGroup[];
}

/**
 * Wildcards never include Secrets, even if nothing is excluded: a copy of Secrets must be requested by name.
 */
const NEVER_IMPLIED = "secrets";

/** Longest name in a report, in bytes. */
const MAX_REPORTED_BYTES = 256;

/**
 * Selects the resource types to read from those that the server serves. A named resource type is read in its
 * named version, otherwise in the server's preferred version. Wildcards select the resource types that
 * support list and watch, except Secrets and the excluded ones. A resource type or group that the contract
 * cannot carry is left out, and logged once.
 *
 * @throws ConfigError for a malformed name, and for two versions of one resource, because both serve the same
 * objects.
 */
export function selectResources(discovery: Discovery, config: SelectionOptions): SelectionResult {
  const named = parseNamed(config.resources.filter((text) => !isResourceWildcard(text)));
  const isImplied = createWildcardFilter(config);
  const isWanted = (found: DiscoveredResource): boolean => {
    const key = resourceTypeKey(found);
    const name = named.get(key);
    if (name !== undefined) {
      return found.verbs.includes("list") && (name.version ?? found.version) === found.version;
    }
    const canFollow = found.verbs.includes("list") && found.verbs.includes("watch");
    return canFollow && isImplied(found);
  };
  const selected = new Map<string, SelectedResource>();
  // The server's preferred version of a group comes first.
  for (const found of discovery.resources) {
    const key = resourceTypeKey(found);
    if (!selected.has(key) && isWanted(found)) {
      const resource = toSelected(found, config.namespaces);
      const problem = findViolation(ResourceScopeSchema, resource.scope);
      if (problem === undefined) {
        selected.set(key, resource);
      } else {
        reportOnce(config.log, "resource type left out of the scope", formatResourceType(found), problem);
      }
    }
  }
  const resources = [...selected]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, resourceType]) => resourceType);
  const undecided = discovery.unanswered.filter(
    ({ group, version }) =>
      isCarried(config.log, group, version) &&
      (isImplied({ group, resource: ANY }) ||
        named.values().some((name) => name.group === group && (name.version ?? version) === version)),
  );
  return { resources, undecided };
}

/**
 * Asserts that the agent can read all of these resource types in all of the configured namespaces: each pair needs a
 * list and a watch.
 *
 * @throws ConfigError if there are more pairs than a scope can have.
 */
export function assertReadable(resources: readonly SelectedResource[]): void {
  const pairs = resources.reduce((sum, { namespaces }) => sum + namespaces.length, 0);
  if (pairs > MAX_SCOPE_PAIRS) {
    throw new ConfigError(
      `namespaces: ${describePairs(pairs)}; ` +
        "name fewer with --namespaces or --resources, or read all namespaces",
    );
  }
}

/**
 * Returns the first resource types that one declaration can carry: at most 5,000, together at most 3 MiB, and with
 * their namespaces at most 250,000 pairs. The others are neither read nor removed.
 */
export function limitScope(resources: readonly SelectedResource[]): readonly SelectedResource[] {
  let bytes = 0;
  let pairs = 0;
  const end = resources.findIndex(({ scope, namespaces }) => {
    bytes += toBinary(ResourceScopeSchema, scope).byteLength + FIELD_BYTES;
    pairs += namespaces.length;
    return bytes > MAX_SCOPE_BYTES || pairs > MAX_SCOPE_PAIRS;
  });
  return resources.slice(0, Math.min(end === -1 ? resources.length : end, MAX_SCOPE_RESOURCES));
}

/** Half of the largest message of an agent. The rest is for undecided groups, removed types and namespaces. */
const MAX_SCOPE_BYTES = MAX_SYNC_REQUEST_BYTES / 2;

/** Largest tag and length of an element of a repeated field, in bytes. */
const FIELD_BYTES = 6;

/** A resource name that no exclusion names, to ask for the group alone. */
const ANY = "";

/** Returns a function that is true for the resource types that wildcards imply and no exclusion names. */
function createWildcardFilter(config: SelectionOptions) {
  const wildcards = new Set(config.resources.filter(isResourceWildcard));
  const excluded = parseExcluded(config.excludeResources);
  return (name: { readonly group: string; readonly resource: string }): boolean => {
    const group = wholeGroup(name.group);
    const key = resourceTypeKey(name);
    return (
      (wildcards.has(ALL_RESOURCES) || wildcards.has(group)) &&
      !excluded.has(group) &&
      !excluded.has(key) &&
      key !== NEVER_IMPLIED
    );
  };
}

function parseNamed(texts: readonly string[]): Map<string, ResourceTypeName> {
  const named = new Map<string, ResourceTypeName>();
  for (const text of texts) {
    const name = parse("resources", text);
    const other = named.get(resourceTypeKey(name));
    if (other !== undefined && other.version !== name.version) {
      throw new ConfigError(
        `resources: expected one version of each resource, found ${formatResourceType(other)} ` +
          `and ${formatResourceType(name)}; remove one of them`,
      );
    }
    named.set(resourceTypeKey(name), name);
  }
  return named;
}

function parseExcluded(texts: readonly string[]): Set<string> {
  return new Set(
    texts.map((text) => (isResourceWildcard(text) ? text : resourceTypeKey(parse("excludeResources", text)))),
  );
}

function parse(setting: string, text: string): ResourceTypeName {
  const name = parseResourceType(text);
  if (name === undefined) {
    throw new ConfigError(
      `${setting}: expected a resource type such as pods or deployments.apps, found ${JSON.stringify(text)}`,
    );
  }
  return name;
}

function toSelected(
  { group, version, resource, kind, singular, shortNames, namespaced, categories, verbs }: DiscoveredResource,
  namespaces: readonly string[],
): SelectedResource {
  const scope = create(ResourceScopeSchema, {
    resourceType: create(ResourceTypeSchema, { group, version, resource }),
    kind: toText(kind),
    singular: toText(singular),
    shortNames: toNames(shortNames),
    namespaced,
    categories: toNames(categories),
    verbs: toNames(verbs),
  });
  return {
    scope,
    namespaces: namespaced ? [...new Set(namespaces)].toSorted() : [],
    isWatchable: verbs.includes("watch"),
  };
}

/** Returns the names that the contract can carry: a server's unusual names must not invalidate the scope. */
function toNames(names: readonly string[]): string[] {
  return names
    .filter((name) => name.length <= MAX_DISCOVERY_NAME_LENGTH && name === toText(name))
    .slice(0, MAX_DISCOVERY_NAMES);
}

/** Returns the part of a name that the contract and Postgres can hold. */
function toText(name: string): string {
  return name.slice(0, MAX_DISCOVERY_NAME_LENGTH).toWellFormed().replaceAll("\0", "\u{fffd}");
}

/** True if the contract can carry the name of a group that did not answer. */
function isCarried(log: Log | undefined, group: string, version: string): boolean {
  const type = create(ResourceTypeSchema, { group, version, resource: "x" });
  const problem = version === "" ? "has a version without name" : findViolation(ResourceTypeSchema, type);
  if (problem !== undefined) {
    reportOnce(log, "API group left out of the scope", `${group}/${version}`, problem);
  }
  return problem === undefined;
}

/** Names that were reported to each log: discovery is repeated, its reports are not. */
const reported = new WeakMap<Log, Set<string>>();

function reportOnce(log: Log | undefined, message: string, text: string, problem: string): void {
  const name = truncate(JSON.stringify(text).slice(1, -1), MAX_REPORTED_BYTES);
  const names = log && (reported.get(log) ?? new Set<string>());
  if (log !== undefined && names !== undefined && !names.has(name)) {
    reported.set(log, names.add(name));
    log.warn(message, { name, problem });
  }
}
