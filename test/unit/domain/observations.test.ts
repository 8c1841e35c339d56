import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { BatchSchema } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import {
  findBatchViolations,
  keyOfItem,
  latestPerObject,
  observedVersionOf,
} from "../../../src/domain/observations.ts";
import { put, remove } from "../../support/store/messages.ts";

it("an item's own observed version goes before the batch's", () => {
  const batch = create(BatchSchema, { observedVersion: "7" });
  expect(observedVersionOf(batch, put("a/x", { observed: 9 }))).toBe("9");
  expect(observedVersionOf(batch, put("a/x"))).toBe("7");
  expect(observedVersionOf(batch, remove("a/x"))).toBe("7");
});

it("the latest item of an object stands at the place of its first", () => {
  const items = [put("a/x", { observed: 1 }), put("a/y"), remove("a/x", 2)];
  expect(latestPerObject(items).map((item) => [keyOfItem(item), item.message.case])).toEqual([
    ["a/x", "deleteObject"],
    ["a/y", "putObject"],
  ]);
});

it.each<[string, MessageInitShape<typeof BatchSchema>, unknown[]]>([
  ["nothing in an empty batch", {}, []],
  ["an incarnation above the epoch", { incarnation: 6n }, [{ rule: "incarnation" }]],
  ["no incarnation of the epoch", { incarnation: 5n }, []],
  [
    "the first item that differs",
    { items: [put("a/x", { observed: 1 }), put("a/y")] },
    [{ rule: "observed-version", item: 1 }],
  ],
  [
    "nothing if the batch's version applies",
    { observedVersion: "3", items: [put("a/x", { observed: 1 }), put("a/y")] },
    [],
  ],
])("a batch's violations: %s", (_, fields, violations) => {
  expect([...findBatchViolations(5n, create(BatchSchema, fields))]).toEqual(violations);
});
