import type { ResourceKind } from "../../gen/proto/evenkeel/v1/resource_pb.ts";
import { parseKind } from "./resource-type.ts";

/** A kind as kubectl names resources: "deployments.apps", "pods" for the core group. */
export function formatKindName(kind: ResourceKind | undefined): string {
  if (kind === undefined) {
    return "";
  }
  return kind.group === "" ? kind.resource : `${kind.resource}.${kind.group}`;
}

/** Group and resource of "deployments.apps", "pods", "apps/v1/deployments" or "v1/pods". */
export function parseKindName(text: string): { readonly group: string; readonly resource: string } {
  const kind = parseKind(text);
  if (kind !== undefined) {
    return { group: kind.group, resource: kind.resource };
  }
  const dot = text.indexOf(".");
  return dot === -1
    ? { group: "", resource: text }
    : { group: text.slice(dot + 1), resource: text.slice(0, dot) };
}
