import { describe, expect, it } from "vitest";
import { BatchType } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { createBatchRegistry, UnsupportedBatchError } from "../../../src/domain/batch-type.ts";

const CONTRACT = {
  [BatchType.UNSPECIFIED]: "refused",
  [BatchType.DEFAULT]: () => "default",
  [BatchType.RECONCILIATION]: "refused",
  [BatchType.DRY_RUN]: "refused",
} as const;

describe("createBatchRegistry", () => {
  it("finds the handler of a type of the contract, and of a type that an embedding program adds", () => {
    const handlerOf = createBatchRegistry<() => string>(CONTRACT, { 77: () => "extra" });
    expect(handlerOf(BatchType.DEFAULT)()).toBe("default");
    expect(handlerOf(77)()).toBe("extra");
  });

  it.each([
    [BatchType.UNSPECIFIED, "BATCH_TYPE_UNSPECIFIED"],
    [BatchType.RECONCILIATION, "BATCH_TYPE_RECONCILIATION"],
    [BatchType.DRY_RUN, "BATCH_TYPE_DRY_RUN"],
    [77, "type 77"],
  ])("refuses type %s by name", (type, name) => {
    const handlerOf = createBatchRegistry<() => string>(CONTRACT);
    expect(() => handlerOf(type)).toThrow(UnsupportedBatchError);
    expect(() => handlerOf(type)).toThrow(name);
  });

  it("prefers the handler of the embedding program", () => {
    const handlerOf = createBatchRegistry<() => string>(CONTRACT, { [BatchType.DEFAULT]: () => "own" });
    expect(handlerOf(BatchType.DEFAULT)()).toBe("own");
  });
});
