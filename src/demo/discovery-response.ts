import { pathNotFound } from "./api-status.ts";
import { type ServedKind, toApiVersion } from "./kinds.ts";

const verbs = ["get", "list", "watch"];

/** Body of `/api`. */
export function createCoreVersionsBody(): object {
  return { kind: "APIVersions", versions: ["v1"], serverAddressByClientCIDRs: [] };
}

/** Body of `/apis`: every group but the core, with its versions in the order in which they are served. */
export function createGroupsBody(kinds: readonly ServedKind[]): object {
  const groups = [...new Set(kinds.map((kind) => kind.group))].filter((group) => group !== "");
  return {
    kind: "APIGroupList",
    apiVersion: "v1",
    groups: groups.map((group) => toGroup(group, kinds)),
  };
}

/** Body of `/apis/GROUP`; answers 404 to a group that is not served. */
export function createGroupBody(group: string, kinds: readonly ServedKind[]): object {
  if (!kinds.some((kind) => kind.group === group)) {
    throw pathNotFound();
  }
  return { kind: "APIGroup", apiVersion: "v1", ...toGroup(group, kinds) };
}

/** Body of `/api/v1` and `/apis/GROUP/VERSION`; answers 404 to a version that is not served. */
export function createResourcesBody(group: string, version: string, kinds: readonly ServedKind[]): object {
  const served = kinds.filter((kind) => kind.group === group && kind.version === version);
  if (served.length === 0) {
    throw pathNotFound();
  }
  return {
    kind: "APIResourceList",
    apiVersion: "v1",
    groupVersion: toApiVersion({ group, version }),
    resources: served.map((kind) => ({
      name: kind.resource,
      singularName: kind.singular,
      namespaced: kind.namespaced,
      kind: kind.kind,
      verbs,
      ...(kind.shortNames.length > 0 ? { shortNames: kind.shortNames } : {}),
    })),
  };
}

/** Body of `/version`. */
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

function toGroup(name: string, kinds: readonly ServedKind[]): object {
  const versions = [...new Set(kinds.filter((kind) => kind.group === name).map((kind) => kind.version))].map(
    (version) => ({ groupVersion: `${name}/${version}`, version }),
  );
  return { name, versions, preferredVersion: versions[0] };
}
