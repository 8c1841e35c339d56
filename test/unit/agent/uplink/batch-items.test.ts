import { toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type BatchItem, BatchItemSchema } from "../../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { DeleteReason } from "../../../../gen/proto/evenkeel/v1/object_pb.ts";
import { deleteItem, putItem, sizeOfItem } from "../../../../src/agent/uplink/batch-items.ts";
import { contentFormatFingerprint, DEFAULT_CONTENT_RULES } from "../../../../src/domain/content-format.ts";

const CHECKSUM = new Uint8Array(32);
const ORDINARY_UID = "2f0e7a5c-9d0b-4a51-8d0c-5a2f1f6f0a11";

/** The contract's longest version: 128 bits. */
const LONGEST_VERSION = String((1n << 128n) - 1n);

/** Parts of a Put. */
interface PutParts {
  readonly namespace?: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly bytes: number;
  readonly quarantineReason: string;
}

function put(parts: Partial<PutParts> = {}): BatchItem {
  const { bytes = 0, quarantineReason = "", name = "x", uid = ORDINARY_UID, resourceVersion = "1" } = parts;
  const namespace = parts.namespace === undefined ? {} : { namespace: parts.namespace };
  const content = {
    content: new Uint8Array(bytes),
    checksum: CHECKSUM,
    contentFormat: contentFormatFingerprint(DEFAULT_CONTENT_RULES),
    quarantineReason,
  };
  return putItem({ metadata: { ...namespace, name, uid, resourceVersion } }, content, LONGEST_VERSION);
}

function gone(namespace: string, name: string, uid: string): BatchItem {
  return deleteItem({ namespace, name }, uid, LONGEST_VERSION, DeleteReason.OBSERVED, 5_000n);
}

function sent(item: BatchItem): number {
  return toBinary(BatchItemSchema, item).byteLength;
}

describe("an item", () => {
  it("of an object without namespace has an empty one", () => {
    expect(put().message.value?.ref).toMatchObject({ namespace: "", name: "x" });
  });

  it("of a gone object has its identity, the reason, and the number of missing objects", () => {
    expect(gone("a", "x", "u").message).toMatchObject({
      case: "deleteObject",
      value: {
        ref: { namespace: "a", name: "x" },
        uid: "u",
        reason: DeleteReason.OBSERVED,
        missing: 5_000n,
      },
    });
  });
});

describe("the size of an item", () => {
  // Each character takes up to three bytes.
  const text = (maxLength: number) =>
    fc.oneof(fc.string({ maxLength }), fc.constantFrom("", "\u20ac".repeat(maxLength)));
  const identity = fc.constantFrom("", "7", ORDINARY_UID, "x".repeat(128));

  it("is never below the bytes that a Put takes in a message", () => {
    const parts = fc.record({
      namespace: text(63),
      name: text(253),
      uid: identity,
      resourceVersion: identity,
      bytes: fc.nat(5_000),
      quarantineReason: text(1_000),
    });
    fc.assert(fc.property(parts, (some) => sizeOfItem(put(some)) >= sent(put(some))));
  });

  it("is never below the bytes that a Delete takes in a message", () => {
    fc.assert(
      fc.property(text(63), text(253), identity, (namespace, name, uid) => {
        const item = gone(namespace, name, uid);
        return sizeOfItem(item) >= sent(item);
      }),
    );
  });

  it("is that of the content, and at most 300 bytes more for an ordinary object", () => {
    const names = { namespace: "kube-system", name: "coredns" };
    expect(sizeOfItem(put({ ...names, bytes: 10_000 }))).toBeLessThanOrEqual(10_300);
    expect(sizeOfItem(gone("kube-system", "coredns", ORDINARY_UID))).toBeLessThanOrEqual(300);
  });
});
