import { create, equals, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  RemovalReason,
  type ScopeDeclared,
  ScopeDeclaredSchema,
} from "../../../gen/proto/evenkeel/v1/scope_pb.ts";
import { decodeEvent, encodeEventInParts } from "../../../src/event/codec.ts";
import { TerminalError } from "../../../src/lib/errors.ts";

const identity = { account: "acme", cluster: "c1", clusterUid: "uid-1", epoch: 7n };

function declare(sizes: readonly number[], nameLength: number): ScopeDeclared {
  const [namespaces = 0, resources = 0, removed = 0, undecided = 0, warnings = 0] = sizes;
  const names = (count: number) => Array.from({ length: count }, (_, at) => `${at}`.padEnd(nameLength, "x"));
  return create(ScopeDeclaredSchema, {
    generation: 3n,
    namespaces: names(namespaces),
    resources: names(resources).map((resource) => ({
      resourceType: { group: "example.com", version: "v1", resource },
    })),
    removed: names(removed).map((resource) => ({
      resourceType: { group: "example.com", resource },
      reason: RemovalReason.NOT_SERVED,
    })),
    undecided: names(undecided).map((group) => ({ group })),
    warnings: names(warnings),
  });
}

function encode(value: ScopeDeclared, maxMessageBytes: number) {
  const body = { case: "scopeDeclared", value } as const;
  const content = { sequence: 1n, publishTime: new Date(0), body };
  return encodeEventInParts(identity, content, { maxMessageBytes, compress: true });
}

describe("a scope on the bus", () => {
  it("travels in parts that fit, and their concatenation is the scope", () => {
    const size = fc.nat(60);
    fc.assert(
      fc.property(
        fc.tuple(size, size, size, size, size),
        fc.nat(60),
        fc.integer({ min: 2_500, max: 10_000 }),
        (sizes, nameLength, maxMessageBytes) => {
          const scope = declare(sizes, nameLength);
          const messages = encode(scope, maxMessageBytes);
          for (const { payload } of messages) {
            expect(payload.byteLength).toBeLessThanOrEqual(maxMessageBytes);
          }
          const events = messages.map(decodeEvent);
          const parts = events.map(({ body }) =>
            body.case === "scopeDeclared" ? body.value : expect.fail(`found ${body.case}`),
          );
          const joined = Buffer.concat(parts.map((part) => toBinary(ScopeDeclaredSchema, part)));
          expect(equals(ScopeDeclaredSchema, fromBinary(ScopeDeclaredSchema, joined), scope)).toBe(true);
          expect(parts.map(({ generation }) => generation)).toEqual(parts.map(() => 3n));
          if (events.length > 1) {
            expect(events.map(({ part, parts: count }) => [part, count])).toEqual(
              events.map((_, index) => [index, events.length]),
            );
          }
        },
      ),
    );
  });

  it("is one message if it fits", () => {
    expect(encode(declare([2, 5_000, 0, 0, 0], 60), 4 * 1024 * 1024)).toHaveLength(1);
  });

  it("is refused if one name alone does not fit", () => {
    expect(() => encode(declare([0, 1, 0, 0, 0], 9_000), 2_500)).toThrow(TerminalError);
  });
});
