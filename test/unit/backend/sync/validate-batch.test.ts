import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { type Batch, BatchSchema, BatchType } from "../../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { validateBatch } from "../../../../src/backend/sync/validate-batch.ts";
import { InvalidArgumentError } from "../../../../src/lib/errors.ts";

const ref = { namespace: "a", name: "x" };
const put = (observedVersion = "5") => ({
  message: { case: "putObject" as const, value: { ref, observedVersion } },
});
const gone = (observedVersion = "5") => ({
  message: { case: "deleteObject" as const, value: { ref, observedVersion } },
});
const batch = (init: Parameters<typeof create<typeof BatchSchema>>[1]): Batch =>
  create(BatchSchema, { type: BatchType.DEFAULT, ...init });

describe("an agent's batch", () => {
  it.each([
    ["observations with versions of their own", batch({ items: [put(), gone("7")], incarnation: 10n })],
    ["observations at the batch's version", batch({ items: [put(""), gone("")], observedVersion: "9" })],
    ["observations without any version", batch({ items: [put(""), gone("")] })],
    ["the answer to a dry run", batch({ type: BatchType.DRY_RUN, items: [put()], run: {} })],
  ])("may have %s", (_name, good) => {
    expect(() => validateBatch(10n, good)).not.toThrow();
  });

  it.each([
    ["another type", batch({ type: BatchType.RECONCILIATION }), ["batch.type"]],
    ["the type of a dry run without one (R82)", batch({ type: BatchType.DRY_RUN }), ["batch.run"]],
    ["an incarnation above the epoch", batch({ items: [put()], incarnation: 11n }), ["batch.incarnation"]],
    [
      "an item to verify",
      batch({ items: [put(), { message: { case: "verifyObject", value: { ref } } }], observedVersion: "9" }),
      ["batch.items[1].verify_object"],
    ],
    [
      "versions for some",
      batch({ items: [put(), gone("")] }),
      ["batch.items[1].delete_object.observed_version"],
    ],
    [
      "a resource type of its own",
      batch({
        items: [
          {
            message: {
              case: "putObject",
              value: { ref: { ...ref, resourceType: {} }, observedVersion: "5" },
            },
          },
        ],
      }),
      ["batch.items[0].put_object.ref.resource_type"],
    ],
  ])("may not have %s", (_name, bad, fields) => {
    try {
      validateBatch(10n, bad);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(InvalidArgumentError);
      expect((error as InvalidArgumentError).violations.map(({ field }) => field)).toEqual(fields);
    }
  });
});
