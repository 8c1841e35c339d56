import { describe, expect, it } from "vitest";
import { checksumOf, sameChecksum } from "../../../src/domain/checksum.ts";
import { contentFormatFingerprint, DEFAULT_CONTENT_RULES } from "../../../src/domain/content-format.ts";
import { formatResourceType, parseResourceType, resourceTypeKey } from "../../../src/domain/resource-type.ts";
import { parseResourceVersion } from "../../../src/domain/resource-version.ts";

describe("kinds", () => {
  it.each([
    ["v1/pods", "v1/pods", "/pods"],
    ["/v1/pods", "v1/pods", "/pods"],
    ["apps/v1/deployments", "apps/v1/deployments", "apps/deployments"],
  ])("%s", (text, formatted, key) => {
    const resourceType = parseResourceType(text);
    expect(resourceType && formatResourceType(resourceType)).toBe(formatted);
    expect(resourceType && resourceTypeKey(resourceType)).toBe(key);
  });

  it.each(["", "pods", "a/b/c/d", "apps//deployments", "apps/v1/", "/"])("refuses %j", (text) => {
    expect(parseResourceType(text)).toBeUndefined();
  });
});

describe("versions", () => {
  it.each([
    ["0", 0n],
    ["42", 42n],
    ["340282366920938463463374607431768211455", (1n << 128n) - 1n],
  ])("%s", (text, version) => {
    expect(parseResourceVersion(text)).toBe(version);
  });

  it.each(["", "-1", "01", "1.0", "1e3", "abc", "340282366920938463463374607431768211456", "1 "])(
    "refuses %j",
    (text) => {
      expect(parseResourceVersion(text)).toBeUndefined();
    },
  );
});

describe("forms", () => {
  it("differ with what is stripped or redacted, not with the order", () => {
    const redacted = { ...DEFAULT_CONTENT_RULES, redacted: ["data", "stringData"] };
    expect(contentFormatFingerprint(DEFAULT_CONTENT_RULES)).toMatch(/^[0-9a-f]{16}$/);
    expect(contentFormatFingerprint(redacted)).not.toBe(contentFormatFingerprint(DEFAULT_CONTENT_RULES));
    expect(contentFormatFingerprint({ ...redacted, redacted: ["stringData", "data"] })).toBe(
      contentFormatFingerprint(redacted),
    );
  });
});

describe("checksums", () => {
  it("are SHA-256", () => {
    expect(Buffer.from(checksumOf(Buffer.from("abc"))).toString("hex")).toMatch(/^ba7816bf8f01cfea/);
  });

  it("that are empty equal nothing", () => {
    expect(sameChecksum(new Uint8Array(), new Uint8Array())).toBe(false);
    expect(sameChecksum(checksumOf(Buffer.from("a")), checksumOf(Buffer.from("a")))).toBe(true);
  });
});
