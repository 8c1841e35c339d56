import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  type Batch,
  type BatchItem,
  BatchItemSchema,
  BatchSchema,
  BatchType,
} from "../../../../gen/proto/evenkeel/v1/batch_pb.ts";
import {
  type PutObject,
  PutObjectSchema,
  VerifyObjectSchema,
} from "../../../../gen/proto/evenkeel/v1/object_pb.ts";
import { TerminalError } from "../../../../src/lib/errors.ts";
import { toObservations, toQuarantined } from "../../../../src/store/postgres/observation.ts";
import { batch, contentOf, notListed, put, ref, remove } from "../../../support/store/messages.ts";

const position = { account: "acme", cluster: "c1", epoch: 7n, sequence: 42n };

/** Reads a batch at the position. */
function read(
  items: readonly BatchItem[],
  init: Partial<Pick<Batch, "observedVersion" | "contentFormat">> = {},
) {
  return toObservations(position, { ...batch(items), ...init });
}

/** Returns the value of a Put. */
function putOf({ message }: BatchItem): PutObject {
  return message.value as PutObject;
}

function only(item: BatchItem) {
  const { observations } = read([item]);
  expect(observations).toHaveLength(1);
  return observations[0];
}

describe("the observations of a batch", () => {
  it("have the fields of a Put", () => {
    const item = put("a/x", { observed: 10, version: "9" });
    const { content, checksum } = putOf(item);
    expect(only(item)).toEqual({
      ...{ namespace: "a", name: "x", state: "present", uid: "uid-a/x", resourceVersion: "9" },
      ...{ observedVersion: "10", content, checksum, contentFormat: "f1", quarantineReason: null },
    });
  });

  it("of a Delete have neither content nor checksum", () => {
    expect(only(remove("a/x", 10))).toEqual({
      ...{ namespace: "a", name: "x", state: "absent", uid: "", resourceVersion: "", observedVersion: "10" },
      ...{ content: null, checksum: null, contentFormat: "", quarantineReason: null },
    });
  });

  it("of a Delete that derives from a list have the number of objects that the list lacks", () => {
    expect(only(notListed("a/x", 10, 3))).toMatchObject({ state: "absent", missing: 3 });
    expect(only(notListed("a/x", 10))).toMatchObject({ missing: 0 });
    expect(only(remove("a/x", 10))).not.toHaveProperty("missing");
  });

  it("are the last one of each object, in the order of their keys", () => {
    const items = [
      put("b/x", { observed: 1 }),
      put("a/z", { observed: 2 }),
      remove("b/x", 3),
      remove("a/a", 4),
    ];
    expect(
      read(items).observations.map(({ namespace, name, observedVersion }) => [
        namespace,
        name,
        observedVersion,
      ]),
    ).toEqual([
      ["a", "a", "4"],
      ["a", "z", "2"],
      ["b", "x", "3"],
    ]);
  });

  it("take the version and the content format of the batch where their items have none", () => {
    const plain = put("a/x");
    putOf(plain).contentFormat = "";
    const { observations } = read([plain, put("a/y", { observed: 5 }), remove("a/z")], {
      observedVersion: "10",
      contentFormat: "f2",
    });
    expect(
      observations.map(({ observedVersion, contentFormat }) => [observedVersion, contentFormat]),
    ).toEqual([
      ["10", "f2"],
      ["5", "f1"],
      ["10", ""],
    ]);
  });
});

describe("the order of a batch", () => {
  it("is that of the versions, in the incarnation of the batch, if it has some", () => {
    const versioned = batch([put("a/x", { observed: 10 })], undefined, undefined, 3n);
    expect(toObservations(position, versioned)).toMatchObject({ incarnation: 3n, orderedBy: "VERSION" });
    expect(read([put("a/x", { observed: 10 })]).incarnation).toBeUndefined();
    expect(read([put("a/x")], { observedVersion: "10" }).orderedBy).toBe("VERSION");
  });

  it("is the position in the stream if it has no versions", () => {
    const { incarnation, orderedBy, observations } = read([put("a/x"), remove("a/y")]);
    expect({ incarnation, orderedBy }).toEqual({ incarnation: 7n, orderedBy: "POSITION" });
    expect(observations.map(({ observedVersion }) => observedVersion)).toEqual(["42", "42"]);
  });

  it("is that of the versions for a batch without items", () => {
    expect(read([])).toEqual({ incarnation: undefined, orderedBy: "VERSION", observations: [] });
  });
});

describe("an object whose content violates the contract", () => {
  it("is quarantined without checksum, so that it is sent again", () => {
    expect(only(put("a/x", { observed: 10, checksum: new Uint8Array(32) }))).toMatchObject({
      ...{
        state: "quarantined",
        content: null,
        checksum: null,
        resourceVersion: "10",
        observedVersion: "10",
      },
      quarantineReason: "the checksum does not match the content",
    });
    const content = contentOf("a/other", { uid: "uid-a/x", data: "1" });
    const other = only(put("a/x", { observed: 10, content }));
    expect(other).toMatchObject({ state: "quarantined", content: null, checksum: null });
    expect(other?.quarantineReason).toContain("metadata.name");
    expect(other).not.toHaveProperty("announced");
  });

  it("that arrives quarantined keeps its checksum and its reason, whatever its content is", () => {
    const item = put("a/x", { observed: 10, content: "", quarantineReason: "9 MB" });
    expect(only(item)).toMatchObject({
      ...{ state: "quarantined", announced: true, content: null, quarantineReason: "9 MB" },
      checksum: expect.objectContaining({ length: 32 }),
    });
  });

  it("and that only Postgres refuses keeps its checksum, so that it is not sent again", () => {
    const observation = only(put("a/x", { observed: 10 }));
    expect(observation && toQuarantined(observation, "22P05")).toEqual({
      ...observation,
      ...{ state: "quarantined", content: null, quarantineReason: "22P05" },
    });
  });
});

describe("a batch that violates the contract", () => {
  const verify = create(BatchItemSchema, {
    message: { case: "verifyObject", value: create(VerifyObjectSchema, { ref: ref("a/x") }) },
  });
  const nameless = create(BatchItemSchema, {
    message: { case: "putObject", value: create(PutObjectSchema) },
  });
  it.each<[string, readonly BatchItem[], bigint | undefined, string]>([
    ["an incarnation above the epoch", [], 8n, "at most the session's epoch 7, found 8"],
    [
      "versions of some items only",
      [put("a/x", { observed: 1 }), put("a/y")],
      undefined,
      "for all items or for none",
    ],
    [
      "a Verify",
      [verify],
      undefined,
      "expected PutObject or DeleteObject in a DEFAULT batch, found verifyObject",
    ],
    ["an item without message", [create(BatchItemSchema)], undefined, "found nothing"],
    ["an item without object", [nameless], undefined, "an item names no object"],
  ])("is refused for good: %s", (_, items, incarnation, message) => {
    const wrong = create(BatchSchema, {
      ...{ type: BatchType.DEFAULT, items: [...items] },
      ...(incarnation !== undefined && { incarnation }),
    });
    expect(() => toObservations(position, wrong)).toThrow(TerminalError);
    expect(() => toObservations(position, wrong)).toThrow(message);
  });

  it("is not one with the incarnation of the session", () => {
    expect(toObservations(position, batch([], undefined, undefined, 7n)).incarnation).toBe(7n);
  });
});
