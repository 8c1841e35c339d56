import { zstdCompressSync } from "node:zlib";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BatchSchema, BatchType } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { EventSchema } from "../../../gen/proto/evenkeel/v1/event_pb.ts";
import { ReconciliationRequestSchema } from "../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import { ScopeDeclaredSchema } from "../../../gen/proto/evenkeel/v1/scope_pb.ts";
import type { OutgoingMessage } from "../../../src/bus/bus.ts";
import { decodeEvent, encodeEvent } from "../../../src/event/codec.ts";
import { clusterKey, replyTopic, TOPICS } from "../../../src/event/topics.ts";
import { TerminalError } from "../../../src/lib/errors.ts";
import { put } from "../../support/store/messages.ts";

const identity = { account: "acme", cluster: "c1", clusterUid: "uid-1", epoch: 2n ** 63n - 1n };

describe("the codec of events", () => {
  it("decodes an event to its original values, also the largest numbers", () => {
    const value = create(ScopeDeclaredSchema, { generation: 3n });
    const time = new Date("2026-01-01T00:00:00.123Z");
    const message = encodeEvent(identity, {
      sequence: 12n,
      publishTime: time,
      body: { case: "scopeDeclared", value },
    });
    expect(decodeEvent(message)).toMatchObject({
      ...identity,
      sequence: 12n,
      publishTime: { nanos: 123_000_000 },
      body: { case: "scopeDeclared", value: { generation: 3n } },
    });
  });

  it("marks requests, answers and notices as losable, and messages of an agent as not (L15)", () => {
    const encode = (sequence: bigint, body: Parameters<typeof encodeEvent>[1]["body"]) =>
      encodeEvent(identity, { sequence, publishTime: new Date(0), body });
    const request = create(ReconciliationRequestSchema);
    const scope = create(ScopeDeclaredSchema);
    expect(encode(0n, { case: "reconciliationRequest", value: request }).isLosable).toBe(true);
    expect(encode(1n, { case: "scopeDeclared", value: scope }).isLosable).toBeUndefined();
  });

  it("repeats the fields of the envelope in properties, for operators", () => {
    const value = create(ScopeDeclaredSchema);
    const { key, properties } = encodeEvent(identity, {
      sequence: 12n,
      publishTime: new Date(0),
      body: { case: "scopeDeclared", value },
    });
    expect(key).toBe('["acme","c1"]');
    expect(properties).toEqual({
      account: "acme",
      cluster: "c1",
      epoch: "9223372036854775807",
      sequence: "12",
      body: "scope_declared",
    });
  });

  it.each([
    ["bytes that are not Protobuf", Uint8Array.from([255, 255, 255])],
    [
      "a message that was cut off",
      encodeEvent(identity, {
        sequence: 1n,
        publishTime: new Date(0),
        body: { case: undefined },
      }).payload.slice(0, 9),
    ],
  ])("refuses %s with a TerminalError", (_, payload) => {
    expect(() => decodeEvent({ key: '["acme","c1"]', payload })).toThrow(TerminalError);
  });
});

describe("L13: a message of the bus from a foreign producer", () => {
  const time = { seconds: 1n };
  /** The encoded fields of an event around its body. */
  const envelope = { account: "acme", cluster: "c1", publishTime: time };
  const key = clusterKey("acme", "c1");
  const resourceType = { version: "v1", resource: "pods" };
  const batchWith = (field: number[], count: number): Uint8Array =>
    Buffer.concat([
      toBinary(BatchSchema, create(BatchSchema, { type: BatchType.DEFAULT, resourceType })),
      Buffer.alloc(field.length * count, Uint8Array.from(field)),
    ]);
  const eventOf = (body: NonNullable<MessageInitShape<typeof EventSchema>["body"]>): OutgoingMessage => ({
    key,
    payload: toBinary(EventSchema, create(EventSchema, { ...envelope, body })),
  });
  const compressed = (bytes: Uint8Array): OutgoingMessage =>
    eventOf({
      case: "compressedBatch",
      value: { zstd: zstdCompressSync(bytes), uncompressedBytes: bytes.byteLength },
    });
  const plain = (bytes: Uint8Array): OutgoingMessage => {
    const { payload } = eventOf({ case: undefined });
    const size = new BinaryWriter().tag(10, WireType.LengthDelimited).bytes(bytes).finish();
    return { key, payload: Buffer.concat([payload, size]) };
  };
  const ITEM = [0x32, 0x00];
  const UNKNOWN = [0x98, 0x06, 0x01];

  it.each([
    ["2 million items, compressed", compressed(batchWith(ITEM, 2_000_000)), "items: expected at most 5000"],
    ["2 million items", plain(batchWith(ITEM, 2_000_000)), "items: expected at most 5000"],
    ["5,001 items", plain(batchWith(ITEM, 5_001)), "items: expected at most 5000"],
    ["2 million unknown fields", plain(batchWith(UNKNOWN, 2_000_000)), "expected at most 500000 fields"],
    [
      "2 million inventories of a request",
      {
        key,
        payload: Buffer.concat([
          eventOf({ case: undefined }).payload,
          new BinaryWriter()
            .tag(13, WireType.LengthDelimited)
            .bytes(Buffer.alloc(4_000_000, Uint8Array.of(0x2a, 0x00)))
            .finish(),
        ]),
      },
      "inventories: expected at most 5000",
    ],
  ])("is refused before it is decoded: %s", (_, message, reason) => {
    const before = process.memoryUsage().heapUsed;
    expect(() => decodeEvent(message)).toThrow(reason);
    // Each of 2 million objects would take more than 50 bytes.
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(50_000_000);
  });

  it("can have as many items as the contract allows", () => {
    const items = Array.from({ length: 5_000 }, (_, index) => put(`a/x${index}`, { observed: 5 }));
    const value = create(BatchSchema, { type: BatchType.DEFAULT, resourceType, items });
    const { body } = decodeEvent(eventOf({ case: "batch", value }));
    expect(body.case === "batch" && body.value.items).toHaveLength(5_000);
  });

  it("is decoded without its unknown fields", () => {
    const { payload } = eventOf({ case: "scopeDeclared", value: { generation: 1n } });
    const event = decodeEvent({ key, payload: Buffer.concat([payload, Uint8Array.from(UNKNOWN)]) });
    expect(event.$unknown).toBeUndefined();
  });

  it.each([
    ["another account", clusterKey("other", "c1")],
    ["another cluster", clusterKey("acme", "c2")],
    ["no key", ""],
    ["another spelling of the key", '["acme", "c1"]'],
  ])("is refused under the key of %s", (_, otherKey) => {
    const { payload } = eventOf({ case: "scopeDeclared", value: { generation: 1n } });
    expect(() => decodeEvent({ key: otherKey, payload })).toThrow(
      "its account and cluster are not those of the message's key",
    );
  });

  it.each([
    ["an event without a time", { ...envelope, publishTime: undefined, body: undefined }, "publish_time"],
    ["a long uid", { ...envelope, clusterUid: "x".repeat(200) }, "cluster_uid"],
    [
      "an item without a message",
      { ...envelope, body: { case: "batch", value: { type: 1, resourceType, items: [{}] } } } as const,
      "batch.items",
    ],
  ])("is refused if the contract does not allow it: %s", (_, init, field) => {
    const body = { case: "scopeDeclared", value: { generation: 1n } } as const;
    const event = create(EventSchema, { ...{ body }, ...init } as MessageInitShape<typeof EventSchema>);
    expect(() => decodeEvent({ key, payload: toBinary(EventSchema, event) })).toThrow(field);
  });

  it("is refused with a short reason, whatever it contains", () => {
    const items = Array.from({ length: 500 }, () => ({}));
    const message = eventOf({ case: "batch", value: { type: 1, resourceType, items } });
    expect(() => decodeEvent(message)).toThrow(
      expect.toSatisfy((error: Error) => error.message.length <= 1_024, "has a short text"),
    );
  });

  it("of an unknown batch type is left to the registry, which refuses it by name", () => {
    const { body } = decodeEvent(eventOf({ case: "batch", value: { type: 77 as BatchType, resourceType } }));
    expect(body.case === "batch" && body.value.type).toBe(77);
  });
});

describe("topics and keys", () => {
  it("differ for different pairs of account and cluster", () => {
    const text = fc.string({
      unit: fc.constantFrom("a", "b", '"', ",", "[", "]", "\\", "/", " ", "\u0000", "ü"),
    });
    fc.assert(
      fc.property(text, text, text, text, (account, cluster, otherAccount, otherCluster) => {
        const isSame = account === otherAccount && cluster === otherCluster;
        return (clusterKey(account, cluster) === clusterKey(otherAccount, otherCluster)) === isSame;
      }),
      { numRuns: 2000 },
    );
  });

  it("separate the answers of each backend from those of others and from events", () => {
    const topics = [TOPICS.events, TOPICS.deadLetter, replyTopic("a"), replyTopic("b")];
    expect(new Set(topics).size).toBe(topics.length);
  });
});
