import { describe, expect, it } from "vitest";
import { parseResourceVersion } from "../../../src/domain/resource-version.ts";

describe("resource versions", () => {
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
