import { type DescField, type DescMessage, getOption } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { field as rules } from "../../../gen/proto/buf/validate/validate_pb.ts";
import { RefusedItemSchema, RefusedItemsSchema } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { PutObjectSchema } from "../../../gen/proto/evenkeel/v1/object_pb.ts";
import { ResourcesReconciledSchema } from "../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import { ObjectKeySchema, ObjectRefSchema } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import { ResourceScopeSchema, ScopeDeclaredSchema } from "../../../gen/proto/evenkeel/v1/scope_pb.ts";
import * as limits from "../../../src/domain/limits.ts";

function rulesOf(message: DescMessage, name: string) {
  const found = message.fields.find((each): each is DescField => each.name === name);
  return found === undefined ? undefined : getOption(found, rules).type;
}

it.each([
  [PutObjectSchema, "content", { case: "bytes", value: { maxLen: BigInt(limits.MAX_CONTENT_BYTES) } }],
  [
    PutObjectSchema,
    "quarantine_reason",
    { case: "string", value: { maxLen: BigInt(limits.MAX_REASON_LENGTH) } },
  ],
  [RefusedItemSchema, "reason", { case: "string", value: { maxBytes: BigInt(limits.MAX_REASON_LENGTH) } }],
  [RefusedItemsSchema, "items", { case: "repeated", value: { maxItems: BigInt(limits.MAX_NOTICE_ITEMS) } }],
  [
    ResourcesReconciledSchema,
    "ends",
    { case: "repeated", value: { minItems: 1n, maxItems: BigInt(limits.MAX_ENDS) } },
  ],
  [ObjectRefSchema, "name", { case: "string", value: { maxBytes: BigInt(limits.MAX_NAME_BYTES) } }],
  [ObjectKeySchema, "name", { case: "string", value: { maxBytes: BigInt(limits.MAX_NAME_BYTES) } }],
  [
    ScopeDeclaredSchema,
    "namespaces",
    { case: "repeated", value: { maxItems: BigInt(limits.MAX_SCOPE_NAMESPACES) } },
  ],
  [
    ScopeDeclaredSchema,
    "resources",
    { case: "repeated", value: { maxItems: BigInt(limits.MAX_SCOPE_RESOURCES) } },
  ],
  [
    ResourceScopeSchema,
    "kind",
    { case: "string", value: { maxLen: BigInt(limits.MAX_DISCOVERY_NAME_LENGTH) } },
  ],
  [
    ResourceScopeSchema,
    "verbs",
    { case: "repeated", value: { maxItems: BigInt(limits.MAX_DISCOVERY_NAMES) } },
  ],
] as const)("the limit of $0.name.$1 is that of the contract", (message, name, expected) => {
  expect(rulesOf(message, name)).toMatchObject(expected);
});
