import * as z from "zod/mini";
import type { ResourceKind } from "../../gen/proto/evenkeel/v1/resource_pb.ts";
import { kindKey, parseKind } from "../domain/kind.ts";
import { list, type ValueType } from "./value-type.ts";

const kind: z.ZodMiniType<ResourceKind> = z.pipe(
  z.transform((value: unknown) => (typeof value === "string" ? parseKind(value) : undefined)),
  z.custom<ResourceKind>((value) => value !== undefined),
);

const kinds = z.array(kind).check(z.refine(isDistinct));
const everything = z.pipe(
  z.tuple([z.literal("*")]),
  z.transform(() => "all" as const),
);

/** Kinds, each `(group, resource)` once, because one version of a resource is read at a time. */
export const kindList: ValueType<readonly ResourceKind[]> = {
  ...list(
    kind,
    "group/version/resource",
    "a list of kinds (apps/v1/deployments, v1/pods), each resource once",
  ),
  schema: kinds,
};

/** Kinds, or `*` alone for all that the cluster has. */
export const kindSelection: ValueType<"all" | readonly ResourceKind[]> = {
  ...kindList,
  schema: z.union([everything, kinds]),
  expected: `"*", or ${kindList.expected}`,
};

function isDistinct(listed: readonly ResourceKind[]): boolean {
  return new Set(listed.map(kindKey)).size === listed.length;
}
