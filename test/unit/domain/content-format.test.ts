import { describe, expect, it } from "vitest";
import { contentFormatFingerprint, DEFAULT_CONTENT_RULES } from "../../../src/domain/content-format.ts";

describe("content formats", () => {
  it("differ if the stripped or redacted paths differ, but not if only their order does", () => {
    const redacted = { ...DEFAULT_CONTENT_RULES, redacted: ["data", "stringData"] };
    expect(contentFormatFingerprint(DEFAULT_CONTENT_RULES)).toMatch(/^[0-9a-f]{16}$/);
    expect(contentFormatFingerprint(redacted)).not.toBe(contentFormatFingerprint(DEFAULT_CONTENT_RULES));
    expect(contentFormatFingerprint({ ...redacted, redacted: ["stringData", "data"] })).toBe(
      contentFormatFingerprint(redacted),
    );
  });
});
