import * as z from "zod/mini";
import { kindKey, parseKind } from "../../domain/resource-type.ts";
import { list, type ValueType } from "../value-types.ts";

const kind = z.string().check(z.refine((text) => parseKind(text) !== undefined));
const wholeGroup = z.string().check(z.regex(/^[^/]+\/\*$/));
const everything = z.tuple([z.literal("*")]);

/**
 * Kinds as "group/version/resource" ("v1/pods" for the core group), or `*` alone for all that the cluster serves. Each
 * `(group, resource)` once, because one version of a resource is read at a time.
 */
export const kindSelection: ValueType<readonly string[]> = {
  ...list(kind, "kind,...", '"*", or a list of kinds (apps/v1/deployments, v1/pods), each resource once'),
  schema: z.union([everything, z.array(kind).check(z.minLength(1), z.refine(isDistinct))]),
};

/** Kinds, and whole groups as "group/*". */
export const kindExclusion: ValueType<readonly string[]> = list(
  z.union([wholeGroup, kind]),
  "kind,...",
  "a list of kinds (apps/v1/deployments, v1/pods) and groups (apps/*)",
);

function isDistinct(texts: readonly string[]): boolean {
  const keys = texts.map(parseKind).map((parsed) => parsed && kindKey(parsed));
  return new Set(keys).size === keys.length;
}
