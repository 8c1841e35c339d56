import { describe, expect, it } from "vitest";
import { canonicalize } from "../../../src/domain/canonical-json.ts";
import { findContentProblem } from "../../../src/domain/check-content.ts";

const identity = { namespace: "shop", name: "web-0", uid: "u-1" };
const problemOf = (content: string, object = identity) => findContentProblem(Buffer.from(content), object);

describe("findContentProblem", () => {
  it.each([
    ["an object of a namespace", identity, identity],
    ["an object of the cluster", { name: "n", uid: "u" }, { namespace: "", name: "n", uid: "u" }],
    ["an object without uid", { name: "n" }, { namespace: "", name: "n", uid: "" }],
    ["an empty uid", { name: "n", namespace: null, uid: "" }, { namespace: "", name: "n", uid: "" }],
    ["a name with escapes", { name: 'a"\\\u0001é' }, { namespace: "", name: 'a"\\\u0001é', uid: "" }],
  ])("accepts %s", (_what, metadata, object) => {
    const others = { annotations: {}, nam: 1, labels: {}, resourceVersion: "1" };
    expect(
      problemOf(canonicalize({ kind: "X", metadata: { ...others, ...metadata } }), object),
    ).toBeUndefined();
  });

  it.each([
    ['{"b":1,"a":2}', 'content: not canonical at byte 7: keys out of order ("b" before "a")'],
    ["42", "content: expected a JSON object, found 42"],
    ["[]", "content: expected a JSON object, found []"],
    ["{}", 'content: expected metadata.name "web-0", found none'],
    ['{"metadata":[{"name":"web-0"}]}', 'content: expected metadata.name "web-0", found none'],
    ['{"metadata":{"name":"web-00"}}', 'content: expected metadata.name "web-0", found "web-00"'],
    ['{"metadata":{"name":7}}', 'content: expected metadata.name "web-0", found another value'],
    ['{"metadata":{"name":"web-0"}}', 'content: expected metadata.namespace "shop", found none'],
    [
      '{"metadata":{"name":"web-0","namespace":"other"}}',
      'content: expected metadata.namespace "shop", found "other"',
    ],
    ['{"metadata":{"name":"web-0","namespace":"shop"}}', 'content: expected metadata.uid "u-1", found none'],
    [
      '{"metadata":{"name":"web-0","namespace":"shop","uid":"u-2"}}',
      'content: expected metadata.uid "u-1", found "u-2"',
    ],
    [
      '{"metadata":{"managedFields":[],"name":"web-0","namespace":"shop","uid":"u-1"}}',
      "content: expected no metadata.managedFields, found some",
    ],
  ])("refuses %s", (content, problem) => {
    expect(problemOf(content)).toBe(problem);
  });

  it("refuses content of the cluster in the row of a namespace, and the reverse", () => {
    const object = { namespace: "", name: "n", uid: "" };
    expect(problemOf('{"metadata":{"name":"n","namespace":"x"}}', object)).toBe(
      'content: expected metadata.namespace "", found "x"',
    );
  });

  it("has a reason of at most 1,024 characters", () => {
    const name = "n".repeat(2_000);
    expect(problemOf("{}", { ...identity, name })).toHaveLength(1_024);
  });
});
