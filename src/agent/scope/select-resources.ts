import { create } from "@bufbuild/protobuf";
import { type ResourceType, ResourceTypeSchema } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import { type ResourceScope, ResourceScopeSchema } from "../../../gen/proto/evenkeel/v1/scope_pb.ts";
import { MAX_DISCOVERY_NAME_LENGTH, MAX_DISCOVERY_NAMES } from "../../domain/limits.ts";
import { formatResourceType, parseResourceType, resourceTypeKey } from "../../domain/resource-type.ts";
import type { DiscoveredResource, Discovery, UnansweredGroup } from "../../kube/discovery.ts";
import { ConfigError } from "../../lib/errors.ts";

/** What the configuration says about kinds. */
export interface ResourceSelection {
  /** "group/version/resource", or "*". */
  readonly resources: readonly string[];
  /** Left out of "*": "group/version/resource", or "group/*". */
  readonly excludeResources: readonly string[];
  /** Empty is all. */
  readonly namespaces: readonly string[];
}

/** A kind that is read. */
export interface SelectedResource {
  readonly scope: ResourceScope;
  /** Namespaces to read; empty: all, and for objects without one. */
  readonly namespaces: readonly string[];
  /** Whether the server can watch it; else it is only listed. */
  readonly watchable: boolean;
}

/** What is read. */
export interface SelectionResult {
  readonly resources: readonly SelectedResource[];
  /**
   * Groups that do not answer and may have kinds that would be read: nothing may be concluded from their
   * absence.
   */
  readonly undecided: readonly UnansweredGroup[];
}

const ALL = "*";

/**
 * Left out of "*": what changes all the time and is derived from other objects, and secrets, which are read
 * only when they are named. By group and resource, or group alone.
 */
const EXCLUDED_BY_DEFAULT: ReadonlySet<string> = new Set([
  "/secrets",
  "/events",
  "events.k8s.io/events",
  "/endpoints",
  "discovery.k8s.io/endpointslices",
  "coordination.k8s.io/leases",
  "/componentstatuses",
  "authentication.k8s.io/*",
  "authorization.k8s.io/*",
  "metrics.k8s.io/*",
  "custom.metrics.k8s.io/*",
  "external.metrics.k8s.io/*",
]);

/**
 * Chooses what to read of what the server serves: kinds named, in the version named, and for "*" all that can
 * be listed and watched, in the server's preferred version. Throws `ConfigError` for a name that is none, and
 * for two versions of one resource: all versions serve the same objects.
 */
export function selectResources(discovery: Discovery, config: ResourceSelection): SelectionResult {
  const named = parseNamed(config.resources);
  const excluded = parseExcluded(config.excludeResources);
  const all = config.resources.includes(ALL);
  const selected = new Map<string, SelectedResource>();
  for (const found of discovery.resources) {
    const key = resourceTypeKey(found);
    const wanted = named.get(key);
    const isWanted =
      wanted === undefined ? all && !isExcluded(excluded, found) : wanted.version === found.version;
    const canRead = found.verbs.includes("list") && (wanted !== undefined || found.verbs.includes("watch"));
    if (isWanted && canRead && !selected.has(key)) {
      selected.set(key, toSelected(found, config.namespaces));
    }
  }
  const resources = [...selected]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, resourceType]) => resourceType);
  const undecided = discovery.unanswered.filter(
    ({ group, version }) =>
      (all && !isExcluded(excluded, { group, resource: ALL })) ||
      named.values().some((resourceType) => resourceType.group === group && resourceType.version === version),
  );
  return { resources, undecided };
}

function parseNamed(texts: readonly string[]): Map<string, ResourceType> {
  const named = new Map<string, ResourceType>();
  for (const text of texts.filter((text) => text !== ALL)) {
    const resourceType = parse("kinds", text);
    const other = named.get(resourceTypeKey(resourceType));
    if (other !== undefined && other.version !== resourceType.version) {
      throw new ConfigError(
        `kinds: expected one version of each resource, found ${formatResourceType(other)} and ${formatResourceType(resourceType)}; leave one out`,
      );
    }
    named.set(resourceTypeKey(resourceType), resourceType);
  }
  return named;
}

function parseExcluded(texts: readonly string[]): Set<string> {
  const keys = texts.map((text) =>
    text.endsWith("/*") ? text : resourceTypeKey(parse("excludedKinds", text)),
  );
  return new Set([...EXCLUDED_BY_DEFAULT, ...keys]);
}

function parse(setting: string, text: string): ResourceType {
  const resourceType = parseResourceType(text);
  if (resourceType === undefined) {
    throw new ConfigError(
      `${setting}: expected "group/version/resource", such as "apps/v1/deployments" or "v1/pods", found ${JSON.stringify(text)}`,
    );
  }
  return resourceType;
}

function isExcluded(
  excluded: ReadonlySet<string>,
  resourceType: { readonly group: string; readonly resource: string },
): boolean {
  return excluded.has(`${resourceType.group}/*`) || excluded.has(resourceTypeKey(resourceType));
}

function toSelected(
  { group, version, resource, kind, singular, shortNames, namespaced, categories, verbs }: DiscoveredResource,
  namespaces: readonly string[],
): SelectedResource {
  const scope = create(ResourceScopeSchema, {
    resourceType: create(ResourceTypeSchema, { group, version, resource }),
    kind: kind.slice(0, MAX_DISCOVERY_NAME_LENGTH),
    singular: singular.slice(0, MAX_DISCOVERY_NAME_LENGTH),
    shortNames: toNames(shortNames),
    namespaced,
    categories: toNames(categories),
    verbs: toNames(verbs),
  });
  return {
    scope,
    namespaces: namespaced ? [...new Set(namespaces)].toSorted() : [],
    watchable: verbs.includes("watch"),
  };
}

/** Names of a resource type that the contract can carry: whatever a server lists must not make a scope invalid. */
function toNames(names: readonly string[]): string[] {
  return names.filter(({ length }) => length <= MAX_DISCOVERY_NAME_LENGTH).slice(0, MAX_DISCOVERY_NAMES);
}
