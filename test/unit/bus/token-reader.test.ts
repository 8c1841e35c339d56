import { expect, it } from "vitest";
import { createTokenReader } from "../../../src/bus/token-reader.ts";
import { ConfigError } from "../../../src/lib/errors.ts";

it("gives the token that it was given, and none where there is none", () => {
  expect(createTokenReader({ token: "t" })?.()).toBe("t");
  expect(createTokenReader({})).toBeUndefined();
});

it("does not choose between two", () => {
  expect(() => createTokenReader({ token: "t", tokenFile: "f" })).toThrow(ConfigError);
});
