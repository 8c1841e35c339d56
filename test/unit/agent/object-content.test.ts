import { describe, expect, it } from "vitest";
import { createAgentCounters } from "../../../src/agent/metrics.ts";
import { contentFormatOf, reportQuarantined, toContent } from "../../../src/agent/object-content.ts";
import type { ResourceContext } from "../../../src/agent/resource-context.ts";
import { PODS } from "../../support/store/messages.ts";
import { createTestLog } from "../../support/vitest/test-log.ts";

const metadata = { name: "x", uid: "u", resourceVersion: "7" };

describe("an object's content", () => {
  it("is of another form in another API version: rows of the old one compare as different (R31)", () => {
    const forms = [
      contentFormatOf({ group: "apps", version: "v1" }),
      contentFormatOf({ group: "apps", version: "v1beta1" }),
      contentFormatOf({ group: "", version: "v1" }),
    ];
    expect(new Set(forms).size).toBe(3);
    expect(contentFormatOf({ group: "apps", version: "v1" })).toBe(forms[0]);
  });

  it("is of another form if only single reads are complete: rows from lists compare as different (R55)", () => {
    const type = { group: "apps", version: "v1" };
    expect(contentFormatOf(type, "single")).not.toBe(contentFormatOf(type));
    expect(contentFormatOf(type, "single")).toBe(contentFormatOf(type, "single"));
  });

  it("lacks managedFields, and nothing else", () => {
    const object = {
      data: { b: "2", a: "1" },
      metadata: { ...metadata, managedFields: [{ manager: "kubectl" }] },
    };
    expect(Buffer.from(toContent(object, "f").content).toString()).toBe(
      '{"data":{"a":"1","b":"2"},"metadata":{"name":"x","resourceVersion":"7","uid":"u"}}',
    );
  });

  it("stays behind above the contract's limit, which is the contract's limit: its size and its checksum travel", () => {
    const huge = (text: string) => toContent({ metadata, data: text.repeat(4 * 1024 * 1024) }, "f");
    const { content, checksum, quarantineReason } = huge("x");
    expect(content).toHaveLength(0);
    expect(quarantineReason).toMatch(/^content: expected at most 4128768 bytes, found 41943\d\d$/);
    expect(checksum).toEqual(huge("x").checksum);
    expect(checksum).not.toEqual(huge("y").checksum);
  });

  it("of exactly the contract's limit is sent", () => {
    const overhead = toContent({ metadata, data: "" }, "f").content.length;
    const limit = 4_128_768;
    const { content, quarantineReason } = toContent({ metadata, data: "x".repeat(limit - overhead) }, "f");
    expect([content.length, quarantineReason]).toEqual([limit, ""]);
  });

  it("stays behind if the contract cannot carry the uid; its checksum is that of the content", () => {
    const content = (text: string) => toContent({ metadata: { ...metadata, uid: "\0" }, data: text }, "f");
    expect(content("x").content).toHaveLength(0);
    expect(content("x").quarantineReason).toContain("metadata.uid");
    expect(content("x").checksum).not.toEqual(content("y").checksum);
  });

  it("that cannot be read at all is a defect, not an odd object", () => {
    const defect = new Error("a defect");
    const object = {
      metadata,
      get data(): never {
        throw defect;
      },
    };
    expect(() => toContent(object, "f")).toThrow(defect);
  });

  it("stays behind without a canonical form; another version has another checksum", () => {
    const broken = (resourceVersion: string) =>
      toContent({ metadata: { ...metadata, resourceVersion }, data: Number.NaN }, "f");
    expect(broken("7")).toMatchObject({
      content: new Uint8Array(),
      quarantineReason: expect.stringMatching(/./),
    });
    expect(broken("7").checksum).toEqual(broken("7").checksum);
    expect(broken("7").checksum).not.toEqual(broken("8").checksum);
  });
});

it("an object without its content is counted and logged, and others are not", () => {
  const context = { resourceType: PODS, log: createTestLog(), counters: createAgentCounters() };
  const report = (quarantineReason: string): void =>
    reportQuarantined(context as unknown as ResourceContext, "a/x", {
      ...toContent({ metadata }, "f"),
      quarantineReason,
    });
  report("");
  expect([context.counters.quarantined, context.log.entries]).toEqual([0, []]);
  report("too large");
  expect(context.counters.quarantined).toBe(1);
  expect(context.log.entries).toEqual([
    {
      level: "error",
      message: "object sent without its content",
      fields: { resourceType: "pods", key: "a/x", reason: "too large" },
    },
  ]);
});
