import { create } from "@bufbuild/protobuf";
import { type BatchItem, BatchItemSchema } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import {
  DeleteObjectSchema,
  type DeleteReason,
  PutObjectSchema,
} from "../../../gen/proto/evenkeel/v1/object_pb.ts";
import { ObjectRefSchema } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import type { ObjectKey } from "../../domain/object-key.ts";
import type { KubeObject } from "../../kube/kube-object.ts";
import type { ObjectContent } from "../object-content.ts";

/** Bytes of a message beside content and names: field tags, versions, uid, checksum. Rounded up. */
const OVERHEAD_BYTES = 160;

/**
 * Returns the observation "the object was this" at `observedVersion`, which is empty for a resource type
 * whose versions do not compare.
 */
export function putItem(
  { metadata }: KubeObject,
  content: ObjectContent,
  observedVersion: string,
): BatchItem {
  const { namespace = "", name, uid, resourceVersion } = metadata;
  const ref = create(ObjectRefSchema, { namespace, name });
  const value = create(PutObjectSchema, {
    ref,
    uid,
    resourceVersion,
    observedVersion,
    ...content,
  });
  return create(BatchItemSchema, { message: { case: "putObject", value } });
}

/** Returns the observation "the object was absent" at `observedVersion`. */
export function deleteItem(
  { namespace, name }: ObjectKey,
  uid: string,
  observedVersion: string,
  reason: DeleteReason,
): BatchItem {
  const ref = create(ObjectRefSchema, { namespace, name });
  const value = create(DeleteObjectSchema, { ref, uid, observedVersion, reason });
  return create(BatchItemSchema, { message: { case: "deleteObject", value } });
}

/** Returns an upper bound of the bytes that an item takes in a message. */
export function sizeOfItem({ message }: BatchItem): number {
  const ref = message.value?.ref;
  const content = message.case === "putObject" ? message.value.content.length : 0;
  return content + OVERHEAD_BYTES + 3 * ((ref?.namespace.length ?? 0) + (ref?.name.length ?? 0));
}
