import { create } from "@bufbuild/protobuf";
import { BatchItemSchema, BatchSchema, BatchType } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { PutObjectSchema } from "../../../gen/proto/evenkeel/v1/object_pb.ts";
import type { OutgoingMessage } from "../../../src/bus/bus.ts";
import { encodeEventInParts } from "../../../src/event/codec.ts";

/** Returns an event with one Put of this content, as a backend publishes it over a broker. */
export function createPutMessage(cluster: string, name: string, content: string): OutgoingMessage {
  const value = create(PutObjectSchema, {
    ref: { namespace: "shop", name },
    uid: "u-1",
    resourceVersion: "7",
    content: new TextEncoder().encode(content),
    checksum: new Uint8Array(32),
  });
  const batch = create(BatchSchema, {
    resourceType: { group: "apps", version: "v1", resource: "deployments" },
    type: BatchType.DEFAULT,
    items: [create(BatchItemSchema, { message: { case: "putObject", value } })],
  });
  const identity = { account: "acme", cluster, clusterUid: "uid-1", epoch: 3n };
  const time = new Date("2026-01-01T00:00:00Z");
  const limits = { maxMessageBytes: 1024 * 1024, compress: true };
  const [message] = encodeEventInParts(
    identity,
    { sequence: 5n, publishTime: time, body: { case: "batch", value: batch } },
    limits,
  );
  if (message === undefined) {
    throw new Error("batch: expected at least one message, found none");
  }
  return message;
}
