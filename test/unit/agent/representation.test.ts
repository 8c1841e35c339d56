import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BatchItemSchema } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { PutObjectSchema } from "../../../gen/proto/evenkeel/v1/object_pb.ts";
import { ObjectRefSchema } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import { createPut } from "../../../src/agent/observed-put.ts";
import {
  carriedIdentity,
  escapeKey,
  findItemProblem,
  findKeyProblem,
} from "../../../src/agent/representation.ts";
import { findViolation } from "../../../src/domain/validation.ts";

const ORDINARY = "abcz09-.:ABC";
const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 1_200 }),
  fc.string({ unit: fc.constantFrom(...ORDINARY), maxLength: 300 }),
  fc.constantFrom(
    "",
    "\0",
    "\ud800",
    "a\0",
    "é".repeat(128),
    "é".repeat(129),
    "x".repeat(1_024),
    "x".repeat(1_025),
  ),
);
const key = fc.record({ namespace: text, name: text });

describe("the representation of an object in the contract (R52)", () => {
  it("accepts exactly the keys that the contract accepts and Postgres can hold", () => {
    fc.assert(
      fc.property(key, ({ namespace, name }) => {
        const isValid =
          findViolation(ObjectRefSchema, create(ObjectRefSchema, { namespace, name })) === undefined;
        const canHold = [namespace, name].every((part) => part.isWellFormed() && !part.includes("\0"));
        expect(findKeyProblem({ namespace, name }) === undefined).toBe(isValid && canHold);
      }),
      { numRuns: 2_000 },
    );
  });

  it("makes a valid item of every object that has a key", () => {
    fc.assert(
      fc.property(key, text, text, text, (objectKey, uid, resourceVersion, data) => {
        fc.pre(findKeyProblem(objectKey) === undefined);
        const object = { metadata: { ...objectKey, uid, resourceVersion }, data };
        const { item } = createPut({ object }, "f", "7");
        expect(findViolation(BatchItemSchema, item)).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });

  it("finds exactly the Puts that violate the contract", () => {
    const names = fc.oneof(text, fc.constantFrom("x", "default"));
    fc.assert(
      fc.property(names, names, names, names, (namespace, name, uid, resourceVersion) => {
        const put = create(PutObjectSchema, {
          ...{ ref: { namespace, name }, uid, resourceVersion, observedVersion: "7", contentFormat: "f" },
          ...{ content: Buffer.from("{}"), checksum: new Uint8Array(32) },
        });
        const item = create(BatchItemSchema, { message: { case: "putObject", value: put } });
        expect(findItemProblem(item)).toBe(findViolation(BatchItemSchema, item));
      }),
      { numRuns: 2_000 },
    );
    const nameless = create(BatchItemSchema, {
      message: { case: "putObject", value: create(PutObjectSchema) },
    });
    expect(findItemProblem(nameless)).toContain("ref");
  });

  it("keeps what the contract carries, and keeps different values different", () => {
    fc.assert(
      fc.property(text, text, (a, b) => {
        const [first, second] = [carriedIdentity({ uid: a }), carriedIdentity({ uid: b })];
        expect(first.uid === second.uid).toBe(a === b);
        expect(first.reason === "").toBe(first.uid === a);
        expect(first.uid.isWellFormed() && !first.uid.includes("\0")).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it("replaces each value of an identity by itself, and names what it replaced", () => {
    const digest = expect.stringMatching(/^sha256:[0-9a-f]{64}$/);
    const long = "x".repeat(129);
    const problem = (field: string) =>
      expect.stringMatching(new RegExp(`^metadata.${field}: .*128.*SHA-256`));
    expect(carriedIdentity({})).toEqual({ uid: "", resourceVersion: "", reason: "" });
    expect(carriedIdentity({ uid: "u", resourceVersion: long })).toEqual({
      ...{ uid: "u", resourceVersion: digest, reason: problem("resourceVersion") },
    });
    expect(carriedIdentity({ uid: long, resourceVersion: "7" })).toEqual({
      ...{ uid: digest, resourceVersion: "7", reason: problem("uid") },
    });
    expect(carriedIdentity({ uid: long, resourceVersion: `${long}y` }).reason).toMatch(
      /^metadata.uid: .*; metadata.resourceVersion: /,
    );
  });

  it("refuses U+0000 in a uid, which the contract alone does not", () => {
    expect(carriedIdentity({ uid: "a\0b" }).reason).toContain("U+0000");
  });

  it("escapes and shortens keys for people", () => {
    expect(escapeKey({ namespace: "a", name: 'x\0"\ud800' })).toBe('a/x\\u0000\\"\\ud800');
    expect(Buffer.byteLength(escapeKey({ namespace: "a", name: "é".repeat(9_999) }))).toBeLessThanOrEqual(
      256,
    );
  });
});
