import type { SimulatedObject } from "./simulated-object.ts";

/** A resource type that the simulated API server serves. */
export interface ServedResource {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly singular: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly shortNames: readonly string[];
  /** True if a CustomResourceDefinition defines it. */
  readonly custom: boolean;
}

/** Identity of a resource type, such as "pods" or "deployments.apps". */
export type ResourceKey = string;

/** Returns the `apiVersion` of the objects of a resource type. */
export function toApiVersion(resourceType: Pick<ServedResource, "group" | "version">): string {
  return resourceType.group === "" ? resourceType.version : `${resourceType.group}/${resourceType.version}`;
}

/** Resource types that are served without a CustomResourceDefinition. */
export const BUILT_IN_RESOURCES: readonly ServedResource[] = [
  builtIn("", "v1", "configmaps", "ConfigMap", ["cm"]),
  builtIn("", "v1", "events", "Event", ["ev"]),
  clusterScoped("", "v1", "namespaces", "Namespace", ["ns"]),
  clusterScoped("", "v1", "nodes", "Node", ["no"]),
  builtIn("", "v1", "pods", "Pod", ["po"]),
  builtIn("", "v1", "secrets", "Secret", []),
  builtIn("", "v1", "serviceaccounts", "ServiceAccount", ["sa"]),
  builtIn("", "v1", "services", "Service", ["svc"]),
  clusterScoped("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", [
    "crd",
    "crds",
  ]),
  clusterScoped("apiregistration.k8s.io", "v1", "apiservices", "APIService", []),
  builtIn("apps", "v1", "daemonsets", "DaemonSet", ["ds"]),
  builtIn("apps", "v1", "deployments", "Deployment", ["deploy"]),
  builtIn("apps", "v1", "replicasets", "ReplicaSet", ["rs"]),
  builtIn("coordination.k8s.io", "v1", "leases", "Lease", []),
];

/** {@link ResourceKey} of CustomResourceDefinitions. */
export const customResourceDefinitions: ResourceKey = "customresourcedefinitions.apiextensions.k8s.io";

interface CustomResourceDefinitionSpec {
  readonly group: string;
  readonly scope: "Namespaced" | "Cluster";
  readonly names: {
    readonly plural: string;
    readonly singular: string;
    readonly kind: string;
    readonly shortNames?: readonly string[];
  };
  readonly versions: readonly { readonly name: string; readonly served: boolean }[];
}

/** Returns the resource types that a CustomResourceDefinition defines, one per served version. */
export function toCustomResources(definition: SimulatedObject): ServedResource[] {
  const spec = definition.spec as unknown as CustomResourceDefinitionSpec;
  return spec.versions
    .filter((version) => version.served)
    .map((version) => ({
      group: spec.group,
      version: version.name,
      resource: spec.names.plural,
      singular: spec.names.singular,
      kind: spec.names.kind,
      namespaced: spec.scope === "Namespaced",
      shortNames: spec.names.shortNames ?? [],
      custom: true,
    }));
}

function builtIn(
  group: string,
  version: string,
  resource: string,
  kind: string,
  shortNames: readonly string[],
): ServedResource {
  const singular = kind.toLowerCase();
  return { group, version, resource, singular, kind, namespaced: true, shortNames, custom: false };
}

function clusterScoped(...names: Parameters<typeof builtIn>): ServedResource {
  return { ...builtIn(...names), namespaced: false };
}
