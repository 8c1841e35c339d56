import { describe, expect, it } from "vitest";
import { contentFormOf, toContent } from "../../../src/agent/object-content.ts";
import { UncanonicalError } from "../../../src/domain/uncanonical-error.ts";

const metadata = { name: "x", uid: "u", resourceVersion: "7" };

describe("an object's content", () => {
  it("is of another form in another API version: rows of the old one compare as different (R31)", () => {
    const forms = [
      contentFormOf({ group: "apps", version: "v1" }),
      contentFormOf({ group: "apps", version: "v1beta1" }),
      contentFormOf({ group: "", version: "v1" }),
    ];
    expect(new Set(forms).size).toBe(3);
    expect(contentFormOf({ group: "apps", version: "v1" })).toBe(forms[0]);
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

  it("is refused above 4 MiB, which is the contract's limit", () => {
    expect(() => toContent({ metadata, data: "x".repeat(4 * 1024 * 1024) }, "f")).toThrow(UncanonicalError);
  });
});
