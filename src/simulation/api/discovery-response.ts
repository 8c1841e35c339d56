import { type ServedResource, toApiVersion } from "../served-resources.ts";

const READ_VERBS = ["get", "list", "watch"];

/** Resources that a real server names in discovery and that cannot be listed. A client must omit them. */
const UNLISTED = new Map([
  ["v1/Pod", ["pods/log", "pods/status"]],
  ["v1/Namespace", ["namespaces/status"]],
  ["apps/v1/Deployment", ["deployments/scale", "deployments/status"]],
]);

/** Returns the body of `/api`. */
export function createCoreVersionsBody(): object {
  return { kind: "APIVersions", versions: ["v1"], serverAddressByClientCIDRs: [] };
}

/** Returns the body of `/apis`: every group except the core group, with its versions in the served order. */
export function createGroupsBody(resources: readonly ServedResource[]): object {
  const groups = [...new Set(resources.map((resourceType) => resourceType.group))].filter(
    (group) => group !== "",
  );
  return {
    kind: "APIGroupList",
    apiVersion: "v1",
    groups: groups.map((group) => toGroup(group, resources)),
  };
}

/** Returns the body of `/apis/GROUP` for a served group. */
export function createGroupBody(group: string, resources: readonly ServedResource[]): object {
  return { kind: "APIGroup", apiVersion: "v1", ...toGroup(group, resources) };
}

/** Returns the body of `/api/v1` or `/apis/GROUP/VERSION` for a served version. */
export function createResourcesBody(
  group: string,
  version: string,
  resources: readonly ServedResource[],
): object {
  const served = resources.filter(
    (resourceType) => resourceType.group === group && resourceType.version === version,
  );
  return {
    kind: "APIResourceList",
    apiVersion: "v1",
    groupVersion: toApiVersion({ group, version }),
    resources: [
      ...(group === "" ? [toUnlisted("bindings", "Binding", true, ["create"])] : []),
      ...served.flatMap((resourceType) => [toResource(resourceType), ...toSubresources(resourceType)]),
    ],
  };
}

/** Returns the body of `/version`. */
export function createVersionBody(): object {
  return {
    major: "1",
    minor: "34",
    gitVersion: "v1.34.4+evenkeel-simulated",
    gitCommit: "",
    gitTreeState: "clean",
    buildDate: "1970-01-01T00:00:00Z",
    goVersion: "",
    compiler: "",
    platform: "",
  };
}

function toResource({ resource, singular, namespaced, kind, shortNames }: ServedResource): object {
  const optional = shortNames.length > 0 ? { shortNames } : {};
  return { name: resource, singularName: singular, namespaced, kind, verbs: READ_VERBS, ...optional };
}

function toSubresources(resourceType: ServedResource): object[] {
  const names = UNLISTED.get(`${toApiVersion(resourceType)}/${resourceType.kind}`) ?? [];
  return names.map((name) => toUnlisted(name, resourceType.kind, resourceType.namespaced, ["get"]));
}

function toUnlisted(name: string, kind: string, namespaced: boolean, verbs: readonly string[]): object {
  return { name, singularName: "", namespaced, kind, verbs };
}

function toGroup(name: string, resources: readonly ServedResource[]): object {
  const versions = [
    ...new Set(
      resources
        .filter((resourceType) => resourceType.group === name)
        .map((resourceType) => resourceType.version),
    ),
  ].map((version) => ({ groupVersion: `${name}/${version}`, version }));
  return { name, versions, preferredVersion: versions[0] };
}
