import { describe, expect, it } from "vitest";
import { contentFormatOf, toContent } from "../../../src/agent/object-content.ts";

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
