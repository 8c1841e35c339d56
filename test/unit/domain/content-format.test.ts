import { describe, expect, it } from "vitest";
import { checksumOf, sameChecksum } from "../../../src/domain/checksum.ts";
import { DEFAULT_FORM_RULES, formOf } from "../../../src/domain/content-format.ts";
import { formatKind, kindKey, parseKind } from "../../../src/domain/resource-type.ts";
import { parseVersion } from "../../../src/domain/resource-version.ts";

describe("kinds", () => {
  it.each([
    ["v1/pods", "v1/pods", "/pods"],
    ["/v1/pods", "v1/pods", "/pods"],
    ["apps/v1/deployments", "apps/v1/deployments", "apps/deployments"],
  ])("%s", (text, formatted, key) => {
    const kind = parseKind(text);
    expect(kind && formatKind(kind)).toBe(formatted);
    expect(kind && kindKey(kind)).toBe(key);
  });

  it.each(["", "pods", "a/b/c/d", "apps//deployments", "apps/v1/", "/"])("refuses %j", (text) => {
    expect(parseKind(text)).toBeUndefined();
  });
});

describe("versions", () => {
  it.each([
    ["0", 0n],
    ["42", 42n],
    ["340282366920938463463374607431768211455", (1n << 128n) - 1n],
  ])("%s", (text, version) => {
    expect(parseVersion(text)).toBe(version);
  });

  it.each(["", "-1", "01", "1.0", "1e3", "abc", "340282366920938463463374607431768211456", "1 "])(
    "refuses %j",
    (text) => {
      expect(parseVersion(text)).toBeUndefined();
    },
  );
});

describe("forms", () => {
  it("differ with what is stripped or redacted, not with the order", () => {
    const redacted = { ...DEFAULT_FORM_RULES, redacted: ["data", "stringData"] };
    expect(formOf(DEFAULT_FORM_RULES)).toMatch(/^[0-9a-f]{16}$/);
    expect(formOf(redacted)).not.toBe(formOf(DEFAULT_FORM_RULES));
    expect(formOf({ ...redacted, redacted: ["stringData", "data"] })).toBe(formOf(redacted));
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
