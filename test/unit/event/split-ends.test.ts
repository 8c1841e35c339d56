import { create, equals } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  type ResourcesReconciled,
  ResourcesReconciledSchema,
} from "../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import { decodeEvent, encodeEventInParts } from "../../../src/event/codec.ts";
import { TerminalError } from "../../../src/lib/errors.ts";

const identity = { account: "acme", cluster: "c1", clusterUid: "uid-1", epoch: 7n };

function endsOf(count: number, message: string): ResourcesReconciled {
  return create(ResourcesReconciledSchema, {
    run: { runId: "6f1c1b8e-6f0b-4c8e-9b9c-0d0b8f6f9a11", attempt: 2 },
    ends: Array.from({ length: count }, (_, at) => ({
      resourceType: { version: "v1", resource: `r${at}` },
      firstSequence: 1n,
      failure: { reason: "Internal", message },
    })),
  });
}

function encode(value: ResourcesReconciled, maxMessageBytes: number) {
  const content = {
    sequence: 1n,
    publishTime: new Date(0),
    body: { case: "resourcesReconciled", value },
  } as const;
  return encodeEventInParts(identity, content, { maxMessageBytes, compress: true });
}

describe("ends of comparisons on the bus", () => {
  it("travel in one message if it fits", () => {
    expect(encode(endsOf(100, "short"), 20_000)).toHaveLength(1);
  });

  it("travel in parts that fit, each with the run, and together they are all ends (L34)", () => {
    // The longest message: the contract allows 100 of them, more than a frame of a WebSocket takes.
    const whole = endsOf(100, "\u{1f600}".repeat(2_048));
    const messages = encode(whole, 700_000);
    expect(messages.length).toBeGreaterThan(1);
    const parts = messages.map((message, at) => {
      expect(message.payload.byteLength).toBeLessThanOrEqual(700_000);
      const { body, part, parts } = decodeEvent(message);
      expect([part, parts]).toEqual([at, messages.length]);
      return body.case === "resourcesReconciled" ? body.value : endsOf(0, "");
    });
    const joined = { ...whole, ends: parts.flatMap(({ ends }) => ends) };
    expect(equals(ResourcesReconciledSchema, joined, whole)).toBe(true);
    expect(parts.map(({ run }) => run)).toEqual(parts.map(() => whole.run));
  });

  it("are refused if one of them is too large", () => {
    expect(() => encode(endsOf(2, "x".repeat(4_000)), 4_500)).toThrow(TerminalError);
  });

  it("name each resource type once", () => {
    const [message] = encode(
      { ...endsOf(2, ""), ends: [...endsOf(1, "").ends, ...endsOf(1, "").ends] },
      20_000,
    );
    expect(() => message && decodeEvent(message)).toThrow("must have each resource type once");
  });
});
