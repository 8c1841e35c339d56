import { create } from "@bufbuild/protobuf";
import { BatchSchema } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import type { SyncRequest } from "../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import { resourceTypeKey } from "../../domain/resource-type.ts";
import { sizeOfItem } from "./batch-items.ts";

/** Bytes of a message without items, rounded up. */
export const MARKER_BYTES = 256;

/** A message with a fixed place in the order. It gets its sequence when it is numbered. */
export interface MarkerSegment {
  readonly type: "marker";
  readonly message: SyncRequest["message"];
  readonly bytes: number;
  readonly traceParent: string;
}

/** True if a message is valid only in its session. */
export function endsWithSession({ message }: MarkerSegment): boolean {
  return message.case !== "batch" || message.value.run !== undefined;
}

/** True for a batch of live changes of the resource type that has a put. */
export function hasLivePuts(message: SyncRequest["message"], resourceKey: string): boolean {
  return (
    message.case === "batch" &&
    message.value.run === undefined &&
    resourceTypeKey(message.value.resourceType) === resourceKey &&
    message.value.items.some((item) => item.message.case === "putObject")
  );
}

/** Returns a batch without its puts; undefined if nothing is left of it. */
export function withoutPuts(segment: MarkerSegment): MarkerSegment | undefined {
  const { message } = segment;
  if (message.case !== "batch") {
    return segment;
  }
  const items = message.value.items.filter((item) => item.message.case !== "putObject");
  const bytes = items.reduce((sum, item) => sum + sizeOfItem(item), 0);
  const value = create(BatchSchema, { ...message.value, items });
  return items.length === 0 ? undefined : { ...segment, bytes, message: { case: "batch", value } };
}

/** Returns the key of the resource type of a batch; empty for other messages. */
export function resourceTypeOfBatch({ message }: MarkerSegment): string {
  return message.case === "batch" ? resourceTypeKey(message.value.resourceType) : "";
}
