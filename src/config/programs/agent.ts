import * as z from "zod/mini";
import { isClusterName, MAX_SCOPE_NAMESPACES } from "../../domain/limits.ts";
import {
  ALL_RESOURCES,
  isResourceWildcard,
  parseResourceType,
  resourceTypeKey,
} from "../../domain/resource-type.ts";
import { defineProgram, required, withDefault } from "../field.ts";
import { assertOneToken, type TokenConfig, tokenFields } from "../fields/auth.ts";
import { sharedFields } from "../fields/shared.ts";
import { type TelemetryConfig, telemetryFields, toTelemetryConfig } from "../fields/telemetry.ts";
import { duration, list, text, type ValueType } from "../value-types.ts";

const resourceType = z.string().check(z.refine((text) => parseResourceType(text) !== undefined));
const wildcard = z.string().check(z.refine(isResourceWildcard));
const group = z.string().check(z.refine((text) => isResourceWildcard(text) && text !== ALL_RESOURCES));

/** Resource types and wildcards. Each resource once, because one version of it is read at a time. */
const resourceSelection: ValueType<readonly string[]> = {
  ...list(
    resourceType,
    "resource,...",
    "a list of resource types (pods, deployments.apps), each once, groups (*.apps), or * for all",
  ),
  schema: z.array(z.union([wildcard, resourceType])).check(z.minLength(1), z.refine(isDistinct)),
};

const resourceExclusion: ValueType<readonly string[]> = list(
  z.union([group, resourceType]),
  "resource,...",
  "a list of resource types (pods, deployments.apps) and groups (*.apps)",
);

function isDistinct(texts: readonly string[]): boolean {
  const keys = texts.map((text) => resourceTypeKey(parseResourceType(text)) || text);
  return new Set(keys).size === keys.length;
}

/** Configuration of `evenkeel agent`. */
export interface AgentConfig extends TokenConfig {
  /** URL of the server. */
  readonly server: string;
  /** Name of the cluster, unique in the account. */
  readonly cluster: string;
  /**
   * Resource types to read, such as "pods" and "deployments.v1.apps"; "*.apps" for a whole group, "*" for
   * all.
   */
  readonly resources: readonly string[];
  /** Resource types and groups that wildcards leave out. */
  readonly excludeResources: readonly string[];
  /** Namespaces to read; empty is all. */
  readonly namespaces: readonly string[];
  /** Time between two discoveries of the resource types. */
  readonly discoveryIntervalMs: number;
  readonly kubeconfig: string | undefined;
  readonly kubeContext: string | undefined;
  readonly telemetry: TelemetryConfig;
}

/**
 * Resource types that wildcards leave out: Secrets, because a copy of them must be intended; Events, Leases,
 * Endpoints, EndpointSlices and ComponentStatuses, because they change often and derive from other objects;
 * the last five groups, because they answer questions and store nothing.
 */
export const DEFAULT_EXCLUDED_RESOURCES: readonly string[] = [
  "secrets",
  "events",
  "events.events.k8s.io",
  "endpoints",
  "endpointslices.discovery.k8s.io",
  "leases.coordination.k8s.io",
  "componentstatuses",
  "*.authentication.k8s.io",
  "*.authorization.k8s.io",
  "*.metrics.k8s.io",
  "*.custom.metrics.k8s.io",
  "*.external.metrics.k8s.io",
];

const label = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** Name of a cluster. */
export const clusterName = {
  ...text("name", "a DNS subdomain such as prod-1"),
  schema: z.string().check(z.refine(isClusterName)),
};
const namespaceList = list(
  z.string().check(z.regex(label)),
  "name,...",
  `a list of at most ${MAX_SCOPE_NAMESPACES} namespaces`,
  MAX_SCOPE_NAMESPACES,
);
const { server, kubeconfig, kubeContext } = sharedFields;

/** Keys of {@link AgentConfig}. */
export const agentProgram = defineProgram(
  {
    server,
    ...tokenFields,
    cluster: required<string>(clusterName, "Name of the cluster, unique in the account"),
    resources: withDefault<readonly string[]>(
      resourceSelection,
      ["*"],
      "Resource types to read (pods,deployments.apps), groups (*.apps), or * for all except Secrets",
    ),
    excludeResources: withDefault<readonly string[]>(
      resourceExclusion,
      DEFAULT_EXCLUDED_RESOURCES,
      "Resource types and groups that wildcards leave out; empty: none",
    ),
    namespaces: withDefault<readonly string[]>(namespaceList, [], "Namespaces to read; unset: all"),
    discoveryInterval: withDefault<number>(
      duration,
      "5m",
      "Time between two discoveries of the resource types; new ones are found at once if definitions can be watched",
    ),
    kubeconfig,
    kubeContext,
    ...telemetryFields,
  },
  ({
    discoveryInterval,
    logLevel,
    logFormat,
    probePort,
    probeHost,
    traceUrl,
    traceRatio,
    ...values
  }): AgentConfig => {
    assertOneToken(values);
    const telemetry = toTelemetryConfig({ logLevel, logFormat, probePort, probeHost, traceUrl, traceRatio });
    return { ...values, discoveryIntervalMs: discoveryInterval, telemetry };
  },
);
