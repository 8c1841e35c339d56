import type { ResourceKind } from "../../gen/proto/evenkeel/v1/resource_pb.ts";

/** URL path of a kind's objects, of those in one namespace, or of one object. */
export function resourcePath(kind: ResourceKind, namespace = "", name = ""): string {
  const api = kind.group === "" ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`;
  const scope = namespace === "" ? "" : `/namespaces/${encodeURIComponent(namespace)}`;
  return `${api}${scope}/${kind.resource}${name === "" ? "" : `/${encodeURIComponent(name)}`}`;
}
