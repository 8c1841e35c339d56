import type { ScopeDeclared } from "../../gen/proto/evenkeel/v1/scope_pb.ts";
import type { FieldViolation } from "../lib/errors.ts";
import { MAX_SCOPE_PAIRS } from "./limits.ts";
import { resourceTypeKey } from "./resource-type.ts";

/**
 * Returns the first rule of a scope that the contract states in words only. The rules of the .proto cannot: its
 * expressions take a time that grows with the square of a list, and do not see two lists together.
 */
export function findScopeViolation({ resources, namespaces }: ScopeDeclared): FieldViolation | undefined {
  const pairs = resources.filter(({ namespaced }) => namespaced).length * namespaces.length;
  if (pairs > MAX_SCOPE_PAIRS) {
    return { field: "scope_declared.namespaces", description: describePairs(pairs) };
  }
  const named = new Map<string, number>();
  for (const [index, { resourceType }] of resources.entries()) {
    const key = resourceTypeKey(resourceType);
    const other = named.get(key);
    if (other !== undefined) {
      return {
        field: `scope_declared.resources[${index}].resource_type`,
        description: `must name each group and resource once, found "${key}" at ${other} too`,
      };
    }
    named.set(key, index);
  }
  return undefined;
}

/** Describes a scope with too many pairs. */
export function describePairs(pairs: number): string {
  return `expected at most ${MAX_SCOPE_PAIRS} pairs of a namespaced resource type and a namespace, found ${pairs}`;
}
