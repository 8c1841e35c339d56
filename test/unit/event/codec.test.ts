import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ReconciliationRequestSchema } from "../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import { ScopeDeclaredSchema } from "../../../gen/proto/evenkeel/v1/scope_pb.ts";
import { decodeEvent, encodeEvent } from "../../../src/event/codec.ts";
import { clusterKey, replyTopic, TOPICS } from "../../../src/event/topics.ts";
import { TerminalError } from "../../../src/lib/errors.ts";

const identity = { account: "acme", cluster: "c1", clusterUid: "uid-1", epoch: 2n ** 63n - 1n };

describe("the codec of events", () => {
  it("decodes an event to its original values, also the largest numbers", () => {
    const value = create(ScopeDeclaredSchema, { generation: 3n });
    const time = new Date("2026-01-01T00:00:00.123Z");
    const { payload } = encodeEvent(identity, {
      sequence: 12n,
      publishTime: time,
      body: { case: "scopeDeclared", value },
    });
    expect(decodeEvent(payload)).toMatchObject({
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
    expect(() => decodeEvent(payload)).toThrow(TerminalError);
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
