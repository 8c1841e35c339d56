import { create } from "@bufbuild/protobuf";
import type { ResourceKind } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import { type KindScope, KindScopeSchema } from "../../../gen/proto/evenkeel/v1/scope_pb.ts";
import { formatKind, kindKey, parseKind } from "../../domain/resource-type.ts";
import type { DiscoveredResource, Discovery, UnansweredGroup } from "../../kube/discovery.ts";
import { ConfigError } from "../../lib/errors.ts";

/** What the configuration says about kinds. */
export interface KindConfig {
  /** "group/version/resource", or "*". */
  readonly kinds: readonly string[];
  /** Left out of "*": "group/version/resource", or "group/*". */
  readonly excludedKinds: readonly string[];
  /** Empty is all. */
  readonly namespaces: readonly string[];
}

/** A kind that is read. */
export interface SelectedKind {
  readonly scope: KindScope;
  /** Whether the server can watch it; else it is only listed. */
  readonly watchable: boolean;
}

/** What is read. */
export interface KindSelection {
  readonly kinds: readonly SelectedKind[];
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
export function selectKinds(discovery: Discovery, config: KindConfig): KindSelection {
  const named = parseNamed(config.kinds);
  const excluded = parseExcluded(config.excludedKinds);
  const all = config.kinds.includes(ALL);
  const selected = new Map<string, SelectedKind>();
  for (const found of discovery.resources) {
    const key = kindKey(found);
    const wanted = named.get(key);
    const isWanted =
      wanted === undefined ? all && !isExcluded(excluded, found) : wanted.version === found.version;
    const canRead = found.verbs.includes("list") && (wanted !== undefined || found.verbs.includes("watch"));
    if (isWanted && canRead && !selected.has(key)) {
      selected.set(key, toSelected(found, config.namespaces));
    }
  }
  const kinds = [...selected].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, kind]) => kind);
  const undecided = discovery.unanswered.filter(
    ({ group, version }) =>
      (all && !isExcluded(excluded, { group, resource: ALL })) ||
      named.values().some((kind) => kind.group === group && kind.version === version),
  );
  return { kinds, undecided };
}

function parseNamed(texts: readonly string[]): Map<string, ResourceKind> {
  const named = new Map<string, ResourceKind>();
  for (const text of texts.filter((kind) => kind !== ALL)) {
    const kind = parse("kinds", text);
    const other = named.get(kindKey(kind));
    if (other !== undefined && other.version !== kind.version) {
      throw new ConfigError(
        `kinds: expected one version of each resource, found ${formatKind(other)} and ${formatKind(kind)}; leave one out`,
      );
    }
    named.set(kindKey(kind), kind);
  }
  return named;
}

function parseExcluded(texts: readonly string[]): Set<string> {
  const keys = texts.map((text) => (text.endsWith("/*") ? text : kindKey(parse("excludedKinds", text))));
  return new Set([...EXCLUDED_BY_DEFAULT, ...keys]);
}

function parse(setting: string, text: string): ResourceKind {
  const kind = parseKind(text);
  if (kind === undefined) {
    throw new ConfigError(
      `${setting}: expected "group/version/resource", such as "apps/v1/deployments" or "v1/pods", found ${JSON.stringify(text)}`,
    );
  }
  return kind;
}

function isExcluded(
  excluded: ReadonlySet<string>,
  kind: { readonly group: string; readonly resource: string },
): boolean {
  return excluded.has(`${kind.group}/*`) || excluded.has(kindKey(kind));
}

function toSelected(
  { group, version, resource, namespaced, verbs }: DiscoveredResource,
  namespaces: readonly string[],
): SelectedKind {
  const scope = create(KindScopeSchema, {
    kind: { group, version, resource },
    namespaces: namespaced ? [...new Set(namespaces)].toSorted() : [],
  });
  return { scope, watchable: verbs.includes("watch") };
}
