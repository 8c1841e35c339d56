import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  type BatchItem,
  BatchItemSchema,
  BatchSchema,
  BatchType,
  type InventoryChunk,
  InventoryChunkSchema,
} from "../../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { VerifyObjectSchema } from "../../../../gen/proto/evenkeel/v1/object_pb.ts";
import { ObjectKeySchema } from "../../../../gen/proto/evenkeel/v1/resource_pb.ts";
import { type PackedChunk, packInventory } from "../../../../src/agent/compare/inventory-chunk.ts";
import { CONFIG_MAPS, ref } from "../../../support/store/messages.ts";

const key = (name: string) => create(ObjectKeySchema, { namespace: "default", name });

function verify(name: string, contentFormat = "", checksum = new Uint8Array(32)): BatchItem {
  const value = create(VerifyObjectSchema, {
    ref: ref(`default/${name}`),
    uid: `uid-${name}`,
    resourceVersion: "7",
    checksum,
    contentFormat,
  });
  return create(BatchItemSchema, { message: { case: "verifyObject", value } });
}

function pack(
  items: readonly BatchItem[],
  range?: InventoryChunk["range"],
  incarnation?: bigint,
): PackedChunk {
  const chunk = create(InventoryChunkSchema, {
    ...(range === undefined ? {} : { range }),
    highWatermark: "9",
    managed: [key("managed")],
  });
  const batch = create(BatchSchema, {
    resourceType: CONFIG_MAPS,
    type: BatchType.RECONCILIATION,
    items: [...items],
    contentFormat: "default-format",
    ...(incarnation === undefined ? {} : { incarnation }),
  });
  return packInventory(batch, chunk);
}

function rangeOf(after?: string, through?: string): InventoryChunk["range"] {
  return create(InventoryChunkSchema, {
    range: {
      ...(after === undefined ? {} : { after: key(after) }),
      ...(through === undefined ? {} : { through: key(through) }),
    },
  }).range;
}

describe("a chunk of an inventory", () => {
  it("has the whole key space without a range", () => {
    const chunk = pack([verify("a"), verify("z")]);
    expect(chunk.range).toEqual({ after: "", through: "", last: true });
    expect(chunk).toMatchObject({ size: 2, highWatermark: "9", incarnation: 0n });
    expect([...chunk.managed]).toEqual(["default/managed"]);
  });

  it("returns its objects in the order in which they arrived", () => {
    const { incarnation, ...chunk } = pack([verify("b"), verify("a")], undefined, 4n);
    expect(incarnation).toBe(4n);
    expect([...chunk.stored()]).toMatchObject([
      { key: "default/b", uid: "uid-b", resourceVersion: "7", checksum: new Uint8Array(32) },
      { key: "default/a", uid: "uid-a", resourceVersion: "7", checksum: new Uint8Array(32) },
    ]);
  });

  it("has the content format of each object, which is the batch's if the object has none", () => {
    const items = [verify("a"), verify("b", "f1"), verify("c", "f1"), verify("d", "f2"), verify("e")];
    expect([...pack(items).stored()].map(({ contentFormat }) => contentFormat)).toEqual([
      "default-format",
      "f1",
      "f1",
      "f2",
      "default-format",
    ]);
  });

  it("has an empty checksum for a row that cannot prove its content", () => {
    const [row] = pack([verify("a", "", new Uint8Array())]).stored();
    expect(row?.checksum).toEqual(new Uint8Array());
  });

  it.each([
    ["the first key of its range", "b", "d", ["b"]],
    ["a key before its range", "b", "d", ["a"]],
    ["a key behind its range", "b", "d", ["c", "e"]],
    ["a key before the last range", "b", undefined, ["c", "a"]],
    ["a key behind the first range", undefined, "d", ["a", "e"]],
  ])("is refused with %s", (_, after, through, names) => {
    expect(() =>
      pack(
        names.map((name) => verify(name)),
        rangeOf(after, through),
      ),
    ).toThrow(`expected a key in the range`);
  });

  it("may have the last key of its range, and any key of the last range", () => {
    expect(pack([verify("c"), verify("d")], rangeOf("b", "d")).size).toBe(2);
    expect(pack([verify("z")], rangeOf("b")).range).toEqual({ after: "default/b", through: "", last: true });
  });

  it("is refused with an object that has no key", () => {
    const value = create(VerifyObjectSchema, { uid: "u" });
    const item = create(BatchItemSchema, { message: { case: "verifyObject", value } });
    expect(() => pack([item])).toThrow("expected VerifyObject");
    expect(() => pack([create(BatchItemSchema)])).toThrow("found an unknown message");
  });
});
