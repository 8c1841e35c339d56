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
import { carriedIdentity } from "../representation.ts";

/** Bytes of a message beside content and names: field tags, versions, uid, checksum. Rounded up. */
const OVERHEAD_BYTES = 192;
/** Length of a usual uid. */
const ORDINARY_LENGTH = 36;

/**
 * Returns the observation "the object was this" at `observedVersion`, which is empty for a resource type
 * whose versions do not compare.
 */
export function putItem(
  { metadata }: Pick<KubeObject, "metadata">,
  content: ObjectContent,
  observedVersion: string,
): BatchItem {
  const { namespace, name } = metadata;
  const { uid, resourceVersion } = carriedIdentity(metadata);
  const ref = create(ObjectRefSchema, { namespace: namespace ?? "", name });
  const value = create(PutObjectSchema, {
    ref,
    uid,
    resourceVersion,
    observedVersion,
    ...content,
  });
  return create(BatchItemSchema, { message: { case: "putObject", value } });
}

/** Returns the observation "the object was absent" at `observedVersion`; `missing` as `DeleteObject` defines it. */
export function deleteItem(
  { namespace, name }: ObjectKey,
  uid: string,
  observedVersion: string,
  reason: DeleteReason,
  missing = 0n,
): BatchItem {
  const ref = create(ObjectRefSchema, { namespace, name });
  const carried = carriedIdentity({ uid });
  const value = create(DeleteObjectSchema, { ref, uid: carried.uid, observedVersion, reason, missing });
  return create(BatchItemSchema, { message: { case: "deleteObject", value } });
}

/** Returns an upper bound of the bytes that an item takes in a message. It assumes that uid and version are ASCII. */
export function sizeOfItem({ message }: BatchItem): number {
  const ref = message.value?.ref;
  const names = (ref?.namespace.length ?? 0) + (ref?.name.length ?? 0);
  if (message.case !== "putObject") {
    return OVERHEAD_BYTES + 3 * (names + excess(message.value?.uid));
  }
  const { content, uid, resourceVersion, quarantineReason } = message.value;
  const texts = names + excess(uid) + excess(resourceVersion) + quarantineReason.length;
  return content.length + OVERHEAD_BYTES + 3 * texts;
}

/** Returns the characters of a uid or a version beyond those that `OVERHEAD_BYTES` contains. */
function excess(text = ""): number {
  return Math.max(0, text.length - ORDINARY_LENGTH);
}
