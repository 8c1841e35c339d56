import { describe, expect, it } from "vitest";
import { checksumOf, sameChecksum } from "../../../src/domain/content-format.ts";

describe("checksums", () => {
  it("are SHA-256", () => {
    expect(Buffer.from(checksumOf(Buffer.from("abc"))).toString("hex")).toMatch(/^ba7816bf8f01cfea/);
  });

  it("equal nothing if they are empty", () => {
    expect(sameChecksum(new Uint8Array(), new Uint8Array())).toBe(false);
    expect(sameChecksum(checksumOf(Buffer.from("a")), checksumOf(Buffer.from("a")))).toBe(true);
  });
});
