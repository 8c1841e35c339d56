import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { RetryableError } from "../../../src/lib/errors.ts";
import { createTokenSource } from "../../../src/lib/token-source.ts";

const folder = mkdtempSync(join(tmpdir(), "evenkeel-token-"));
const tokenFile = join(folder, "token");
afterAll(() => rmSync(folder, { recursive: true }));

test("a configured token does not change", () => {
  const source = createTokenSource({ token: "a.b.c", tokenFile: undefined });
  expect([source?.read(), source?.isRenewable]).toEqual(["a.b.c", false]);
});

test("a token file is read for each use, without white space around the token", () => {
  const source = createTokenSource({ token: undefined, tokenFile });
  writeFileSync(tokenFile, "a.b.c\n");
  expect([source?.read(), source?.isRenewable]).toEqual(["a.b.c", true]);
  writeFileSync(tokenFile, " d.e.f ");
  expect(source?.read()).toBe("d.e.f");
});

test.each([
  ["an empty file", ""],
  ["a file of two lines", "a.b.c\nd.e.f"],
  ["a file that would break a header", "a.b.c\r\nx: y"],
  ["a file with more than the token", "Bearer a.b.c"],
])("%s is a retryable error", (_, text) => {
  writeFileSync(tokenFile, text);
  const source = createTokenSource({ token: undefined, tokenFile });
  expect(() => source?.read()).toThrow(RetryableError);
  expect(() => source?.read()).toThrow(`the token file ${tokenFile} holds no token`);
});

test("a missing token file is a retryable error", () => {
  const source = createTokenSource({ token: undefined, tokenFile: join(folder, "missing") });
  expect(() => source?.read()).toThrow(RetryableError);
  expect(() => source?.read()).toThrow("cannot be read: ENOENT");
});

test("there is no source without a token and a token file", () => {
  expect(createTokenSource({ token: undefined, tokenFile: undefined })).toBeUndefined();
});
