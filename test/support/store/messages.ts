import { create } from "@bufbuild/protobuf";
import {
  type Batch,
  type BatchItem,
  BatchItemSchema,
  BatchSchema,
  BatchType,
  RunRefSchema,
} from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import {
  DeleteObjectSchema,
  DeleteReason,
  PutObjectSchema,
} from "../../../gen/proto/evenkeel/v1/object_pb.ts";
import {
  ObjectRefSchema,
  type ResourceType,
  ResourceTypeSchema,
} from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import { canonicalize } from "../../../src/domain/canonical-json.ts";
import { checksumOf } from "../../../src/domain/content-format.ts";

/** Resource types of the tests. */
export const PODS = resourceType("", "v1", "pods");
export const CONFIG_MAPS = resourceType("", "v1", "configmaps");

/** Creates a resource type. */
export function resourceType(group: string, version: string, resource: string): ResourceType {
  return create(ResourceTypeSchema, { group, version, resource });
}

/** Fields of a Put. */
export interface PutInit {
  readonly observed?: number | string;
  readonly uid?: string;
  readonly version?: string;
  /** Canonical JSON of the object's member `data`; default the version as a text. */
  readonly data?: string;
  /** Bytes that replace the content; they may violate the contract. */
  readonly content?: string;
  readonly checksum?: Uint8Array;
  readonly quarantineReason?: string;
}

/** Creates a Put of the object "namespace/name". */
export function put(key: string, init: PutInit = {}): BatchItem {
  const uid = init.uid ?? `uid-${key}`;
  const data = init.data ?? JSON.stringify(String(init.version ?? init.observed ?? ""));
  const content = new TextEncoder().encode(init.content ?? contentOf(key, { uid, data }));
  const value = create(PutObjectSchema, {
    ref: ref(key),
    uid,
    resourceVersion: init.version ?? String(init.observed ?? "1"),
    observedVersion: init.observed === undefined ? "" : String(init.observed),
    content,
    checksum: init.checksum ?? checksumOf(content),
    contentFormat: "f1",
    quarantineReason: init.quarantineReason ?? "",
  });
  return create(BatchItemSchema, { message: { case: "putObject", value } });
}

/** Returns the canonical content of the object "namespace/name", whose member `data` is canonical JSON. */
export function contentOf(key: string, { uid = `uid-${key}`, data }: { uid?: string; data: string }): string {
  const { namespace, name } = ref(key);
  return `{"data":${data},"metadata":${canonicalize({ name, ...(namespace !== "" && { namespace }), uid })}}`;
}

/** Creates a Delete of the object "namespace/name". */
export function remove(key: string, observed?: number | string): BatchItem {
  const value = create(DeleteObjectSchema, {
    ref: ref(key),
    observedVersion: observed === undefined ? "" : String(observed),
    reason: DeleteReason.OBSERVED,
  });
  return create(BatchItemSchema, { message: { case: "deleteObject", value } });
}

/** Creates a Delete of the object "namespace/name", which a list lacks; `missing` as `DeleteObject` defines it. */
export function notListed(key: string, observed: number, missing = 0): BatchItem {
  const value = create(DeleteObjectSchema, {
    ref: ref(key),
    observedVersion: String(observed),
    reason: DeleteReason.NOT_LISTED,
    missing: BigInt(missing),
  });
  return create(BatchItemSchema, { message: { case: "deleteObject", value } });
}

/** Creates a DEFAULT batch. */
export function batch(items: readonly BatchItem[], of = PODS, runId?: string, incarnation?: bigint): Batch {
  return create(BatchSchema, {
    resourceType: of,
    type: BatchType.DEFAULT,
    items: [...items],
    ...(runId !== undefined && { run: create(RunRefSchema, { runId, attempt: 1 }) }),
    ...(incarnation !== undefined && { incarnation }),
  });
}

/** Creates the reference of the object "namespace/name". */
export function ref(key: string) {
  const [namespace = "", name = ""] = key.split("/");
  return create(ObjectRefSchema, { namespace, name });
}
