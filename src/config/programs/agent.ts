import * as z from "zod/mini";
import { isClusterName } from "../../domain/names.ts";
import { parseResourceType, resourceTypeKey } from "../../domain/resource-type.ts";
import { defineProgram, required, withDefault } from "../field.ts";
import { assertOneToken, type TokenConfig, tokenFields } from "../fields/auth.ts";
import { sharedFields } from "../fields/shared.ts";
import { type TelemetryConfig, telemetryFields, toTelemetryConfig } from "../fields/telemetry.ts";
import { list, text, type ValueType } from "../value-types.ts";

const resourceType = z.string().check(z.refine((text) => parseResourceType(text) !== undefined));
const wholeGroup = z.string().check(z.regex(/^[^/]+\/\*$/));
const everything = z.tuple([z.literal("*")]);

/**
 * Kinds as "group/version/resource" ("v1/pods" for the core group), or `*` alone for all that the cluster serves. Each
 * `(group, resource)` once, because one version of a resource is read at a time.
 */
const resourceSelection: ValueType<readonly string[]> = {
  ...list(
    resourceType,
    "kind,...",
    '"*", or a list of kinds (apps/v1/deployments, v1/pods), each resource once',
  ),
  schema: z.union([everything, z.array(resourceType).check(z.minLength(1), z.refine(isDistinct))]),
};

/** Kinds, and whole groups as "group/*". */
const resourceExclusion: ValueType<readonly string[]> = list(
  z.union([wholeGroup, resourceType]),
  "kind,...",
  "a list of kinds (apps/v1/deployments, v1/pods) and groups (apps/*)",
);

function isDistinct(texts: readonly string[]): boolean {
  const keys = texts.map(parseResourceType).map((parsed) => parsed && resourceTypeKey(parsed));
  return new Set(keys).size === keys.length;
}

/** What `evenkeel agent` runs with. */
export interface AgentConfig extends TokenConfig {
  /** URL of the server. */
  readonly server: string;
  /** Name of the cluster, unique in the account. */
  readonly cluster: string;
  /** Kinds to read as "group/version/resource" ("v1/pods" for the core group), or "*" alone. */
  readonly resources: readonly string[];
  /** Left out of "*": "group/version/resource", or "group/*" for a whole group. */
  readonly excludeResources: readonly string[];
  /** Namespaces to read; empty is all. */
  readonly namespaces: readonly string[];
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  readonly telemetry: TelemetryConfig;
}

/**
 * Kinds that are not read unless somebody asks for it: Secrets, because their contents had better not be copied;
 * Events and Leases, because they change all the time and tell nothing that lasts.
 */
export const defaultExcludes = [
  "v1/secrets",
  "v1/events",
  "events.k8s.io/v1/events",
  "coordination.k8s.io/v1/leases",
] as const;

const label = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** Name of a cluster, as the contract has it. */
export const clusterName = {
  ...text("name", "a DNS subdomain such as prod-1"),
  schema: z.string().check(z.refine(isClusterName)),
};
const namespaceList = list(z.string().check(z.regex(label)), "name", "a list of namespaces");
const { server, kubeconfig, context } = sharedFields;

/** Keys of {@link AgentConfig}. */
export const agentProgram = defineProgram(
  {
    server,
    ...tokenFields,
    cluster: required<string>(clusterName, "Name of the cluster, unique in the account"),
    resources: withDefault<readonly string[]>(resourceSelection, ["*"], "Resources to read, or * for all"),
    excludeResources: withDefault<readonly string[]>(
      resourceExclusion,
      defaultExcludes,
      "Resources left out of *",
    ),
    namespaces: withDefault<readonly string[]>(namespaceList, [], "Namespaces to read; none is all"),
    kubeconfig,
    context,
    ...telemetryFields,
  },
  ({ logLevel, probePort, probeHost, traceUrl, traceRatio, ...values }): AgentConfig => {
    assertOneToken(values);
    const telemetry = toTelemetryConfig({ logLevel, probePort, probeHost, traceUrl, traceRatio });
    return { ...values, telemetry };
  },
);
