import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { RetryableError } from "../../../src/lib/errors.ts";
import { createTokenSource } from "../../../src/lib/token-source.ts";

const folder = mkdtempSync(join(tmpdir(), "evenkeel-token-"));
const tokenFile = join(folder, "token");
afterAll(() => rmSync(folder, { recursive: true }));

test("a token that is given stays what it is", () => {
  const source = createTokenSource({ token: "a.b.c", tokenFile: undefined });
  expect([source?.read(), source?.isRenewable]).toEqual(["a.b.c", false]);
});

test("a file is read each time, without what surrounds the token", () => {
  const source = createTokenSource({ token: undefined, tokenFile });
  writeFileSync(tokenFile, "a.b.c\n");
  expect([source?.read(), source?.isRenewable]).toEqual(["a.b.c", true]);
  writeFileSync(tokenFile, " d.e.f ");
  expect(source?.read()).toBe("d.e.f");
});

test.each([
  ["that is empty", ""],
  ["of two lines", "a.b.c\nd.e.f"],
  ["that would break a header", "a.b.c\r\nx: y"],
  ["with something else", "Bearer a.b.c"],
])("a file %s may be mended", (_, text) => {
  writeFileSync(tokenFile, text);
  const source = createTokenSource({ token: undefined, tokenFile });
  expect(() => source?.read()).toThrow(RetryableError);
  expect(() => source?.read()).toThrow(`the token file ${tokenFile} holds no token`);
});

test("a file that is missing may come", () => {
  const source = createTokenSource({ token: undefined, tokenFile: join(folder, "missing") });
  expect(() => source?.read()).toThrow(RetryableError);
  expect(() => source?.read()).toThrow("cannot be read: ENOENT");
});

test("nothing given is no source", () => {
  expect(createTokenSource({ token: undefined, tokenFile: undefined })).toBeUndefined();
});
