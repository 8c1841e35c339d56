import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Code } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ConfigError } from "../../../../src/lib/errors.ts";
import type { Authenticator } from "../../../../src/rpc/auth/authenticator.ts";
import { createJwtAuthenticator } from "../../../../src/rpc/auth/jwt-authenticator.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { createTokenIssuer, type TokenIssuer } from "../../../support/rpc/token-issuer.ts";
import { createTestLog, type TestLog } from "../../../support/vitest/test-log.ts";

const issuer = createTokenIssuer();
const successor = createTokenIssuer("ES256");
let folder: string;
let file: string;
let clock: ManualClock;
/** Messages of the log above debug, with their levels. */
let log: TestLog;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "evenkeel-keys-"));
  file = join(folder, "keys.pem");
  writeFileSync(file, issuer.publicPem);
  clock = new ManualClock();
  log = createTestLog();
});
afterEach(() => rmSync(folder, { recursive: true }));

function createAuthenticator(...publicKeyFiles: readonly string[]): Authenticator {
  return createJwtAuthenticator({ publicKeyFiles, audience: "evenkeel", clock, log });
}

function aboveDebug({ lines }: TestLog): readonly string[] {
  return lines.filter((line) => !line.startsWith("debug "));
}

function authenticate(authenticator: Authenticator, authorization?: string) {
  const headers = new Headers(authorization === undefined ? {} : { authorization });
  return authenticator.authenticate(new AbortController().signal, headers);
}

test("the identity has the claims of the token, and expires with it plus the clock tolerance", async () => {
  const exp = clock.now().getTime() / 1000 + 60;
  const token = await issuer.issue({ cluster: "c1", sub: "agent of c1", exp });
  const authenticator = createAuthenticator(file);
  expect(await authenticate(authenticator, `Bearer ${token}`)).toEqual({
    account: "shop",
    cluster: "c1",
    subject: "agent of c1",
    expiresAt: new Date("2026-01-01T00:01:30Z"),
    isRevoked: expect.any(Function),
  });
  await clock.advance(89_999);
  await expect(authenticate(authenticator, `Bearer ${token}`)).resolves.toBeDefined();
  await clock.advance(1);
  await expect(authenticate(authenticator, `Bearer ${token}`)).rejects.toMatchObject({
    code: Code.Unauthenticated,
    rawMessage: "token: expired at 2026-01-01T00:01:00.000Z",
  });
});

test.each<[string, (token: string) => string | undefined, string]>([
  ["no header", () => undefined, 'authorization: no token; send the header "authorization: Bearer TOKEN"'],
  ["an empty header", () => "", "authorization: malformed header"],
  ["another scheme", (token) => `Basic ${token}`, "authorization: malformed header"],
  ["a token alone", (token) => token, "authorization: malformed header"],
  ["two tokens", (token) => `Bearer ${token}, Bearer ${token}`, "authorization: malformed header"],
  ["a text that is not a token", () => "Bearer secret", "token: malformed"],
])("%s is UNAUTHENTICATED, and the message shows no token", async (_, toHeader, message) => {
  const token = await issuer.issue();
  const error = await authenticate(createAuthenticator(file), toHeader(token)).catch(
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ code: Code.Unauthenticated, rawMessage: expect.stringContaining(message) });
  expect(String(error)).not.toContain(token);
  expect(String(error)).not.toContain("secret");
});

test("the scheme is case-insensitive", async () => {
  const token = await issuer.issue();
  await expect(authenticate(createAuthenticator(file), `bearer ${token}`)).resolves.toBeDefined();
});

describe("key files", () => {
  const isTaken = async (authenticator: Authenticator, by: TokenIssuer): Promise<boolean> =>
    await authenticate(authenticator, `Bearer ${await by.issue()}`).then(
      () => true,
      () => false,
    );
  /** Replaces the file atomically, as Kubernetes does. */
  const replace = (text: string): void => {
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
  };

  test("are all used", async () => {
    const second = join(folder, "second.json");
    const jwk = successor.publicKey.export({ format: "jwk" });
    writeFileSync(second, JSON.stringify({ keys: [jwk] }));
    const authenticator = createAuthenticator(file, second);
    expect(await isTaken(authenticator, issuer)).toBe(true);
    expect(await isTaken(authenticator, successor)).toBe(true);
  });

  test("rotate keys without a restart: the new key is added, then the old one is removed", async () => {
    const authenticator = createAuthenticator(file);
    expect(await isTaken(authenticator, successor)).toBe(false);
    replace(issuer.publicPem + successor.publicPem);
    expect(await isTaken(authenticator, successor)).toBe(false);
    await clock.advance(5000);
    expect(await isTaken(authenticator, successor)).toBe(true);
    expect(await isTaken(authenticator, issuer)).toBe(true);
    replace(successor.publicPem);
    await clock.advance(5000);
    expect(await isTaken(authenticator, issuer)).toBe(false);
    expect(await isTaken(authenticator, successor)).toBe(true);
    expect(aboveDebug(log)).toEqual(["info public keys reloaded", "info public keys reloaded"]);
  });

  test("revoke with a removed key what it has signed, also if its name stays", async () => {
    const jwk = (each: TokenIssuer) => ({ ...each.publicKey.export({ format: "jwk" }), kid: "main" });
    const write = (...keys: readonly object[]) => replace(JSON.stringify({ keys }));
    write(jwk(issuer));
    const authenticator = createAuthenticator(file);
    const token = await issuer.issue({}, { kid: "main" });
    const { isRevoked } = await authenticate(authenticator, `Bearer ${token}`);
    expect(isRevoked?.()).toBe(false);
    write(jwk(issuer), jwk(createTokenIssuer()));
    await clock.advance(5000);
    expect(isRevoked?.()).toBe(false);
    write(jwk(createTokenIssuer()));
    await clock.advance(4999);
    expect(isRevoked?.()).toBe(false);
    await clock.advance(1);
    expect(isRevoked?.()).toBe(true);
  });

  test.each<[string, () => void]>([
    ["broken", () => replace("-----BEGIN PUBLIC")],
    ["private", () => replace(successor.privatePem)],
    ["gone", () => rmSync(file)],
  ])(
    "keep the previous keys while a file is %s, with one log line, and are read again after its repair",
    async (_, breakFile) => {
      const authenticator = createAuthenticator(file);
      breakFile();
      for (const _check of [1, 2, 3]) {
        await clock.advance(5000);
        expect(await isTaken(authenticator, issuer)).toBe(true);
      }
      expect(aboveDebug(log)).toEqual([
        expect.stringMatching(/^error public keys not reloaded; previous keys kept: /),
      ]);
      replace(successor.publicPem);
      await clock.advance(5000);
      expect(await isTaken(authenticator, successor)).toBe(true);
      expect(await isTaken(authenticator, issuer)).toBe(false);
    },
  );

  test("are named in an error if they cannot be read at the start", () => {
    const missing = join(folder, "missing.pem");
    expect(() => createAuthenticator(file, missing)).toThrow(ConfigError);
    expect(() => createAuthenticator(file, missing)).toThrow(`public keys in ${missing}: ENOENT`);
  });
});
