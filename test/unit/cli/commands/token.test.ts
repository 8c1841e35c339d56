import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { type RunResult, runForTest } from "../../../support/cli/run-for-test.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { createTokenIssuer } from "../../../support/rpc/token-issuer.ts";

const clock = new ManualClock(new Date("2026-01-01T00:00:00Z"));
let folder = "";
let key = "";
const made: string[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "evenkeel-token-"));
  made.push(folder);
  key = join(folder, "tokens.key");
});
afterAll(() => {
  for (const each of made) {
    rmSync(each, { recursive: true });
  }
});

const token = (args: string, input?: string): Promise<RunResult> =>
  runForTest(["token", ...args.split(" ").filter(Boolean)], { clock, ...(input !== undefined && { input }) });

/** A token of a pair of keys that is made when there is none yet. */
async function create(flags: string): Promise<string> {
  await token(`keygen ${key}`);
  const { out, err } = await token(`create --key ${key} ${flags}`);
  expect(err).toBe("");
  return out;
}

describe("keygen", () => {
  test("makes a pair that nobody else can read the private one of", async () => {
    const { code, out } = await token(`keygen ${key}`);
    expect(code).toBe(0);
    expect(readFileSync(key, "utf8")).toMatch(/^-----BEGIN PRIVATE KEY-----/);
    expect(readFileSync(`${key}.pub`, "utf8")).toMatch(/^-----BEGIN PUBLIC KEY-----/);
    expect(statSync(key).mode & 0o777).toBe(0o600);
    expect(out).toMatch(/^Private key: .*tokens\.key\nPublic key: .*tokens\.key\.pub\nKey id: +[\w-]{43}\n$/);
  });

  test.each(["", ".pub"])("overwrites no %s file, and leaves no half of a pair", async (suffix) => {
    writeFileSync(`${key}${suffix}`, "mine");
    const { code, out, err } = await token(`keygen ${key}`);
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toBe(
      `evenkeel: ${key}${suffix}: exists and is not overwritten; choose another file, or move it\n`,
    );
    expect(readFileSync(`${key}${suffix}`, "utf8")).toBe("mine");
    expect(() => statSync(suffix === "" ? `${key}.pub` : key)).toThrow("ENOENT");
  });

  test("says where it cannot write", async () => {
    const { code, err } = await token(`keygen ${join(folder, "nowhere", "tokens.key")}`);
    expect(code).toBe(1);
    expect(err).toMatch(/^evenkeel: .*nowhere\/tokens\.key: cannot be written: ENOENT/);
  });
});

describe("create", () => {
  test("prints a token that says what was asked for, for 90 days", async () => {
    const printed = await create("--account shop --cluster prod-1 --subject agent");
    expect(printed).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    const { out } = await token("inspect -o json", printed);
    expect(JSON.parse(out)).toEqual({
      header: { alg: "EdDSA", kid: expect.stringMatching(/^[\w-]{43}$/), typ: "JWT" },
      claims: {
        account: "shop",
        cluster: "prod-1",
        sub: "agent",
        aud: "evenkeel",
        iat: 1_767_225_600,
        exp: 1_767_225_600 + 90 * 86_400,
      },
      verified: false,
    });
  });

  test("leaves out what was not asked for", async () => {
    const printed = await create("--account shop --expires-in 8h --audience evenkeel-eu");
    const { claims } = parse((await token("inspect -o yaml", printed)).out);
    expect(claims).toEqual({ account: "shop", aud: "evenkeel-eu", iat: 1_767_225_600, exp: 1_767_254_400 });
  });

  test("writes a new file that only its user may read, and prints nothing (L29)", async () => {
    const file = join(folder, "prod-1.token");
    expect(await create(`--account shop --out ${file}`)).toBe("");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file, "utf8")).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    const { code, err } = await token(`create --key ${key} --account shop --out ${file}`);
    expect({ code, err }).toEqual({
      code: 1,
      err: `evenkeel: ${file}: exists and is not overwritten; choose another file, or move it\n`,
    });
  });

  test("refuses a signing key that others may read, by file, mode and remedy (L29)", async () => {
    await token(`keygen ${key}`);
    chmodSync(key, 0o644);
    const { code, out, err } = await token(`create --key ${key} --account shop`);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain(`private key ${key}: cannot be read: expected mode 0600, or 0640 if root owns it`);
    expect(err).toContain(`found 0644; run "chmod 600 ${key}"`);
  });

  test.each(["ES256", "RS256"] as const)("signs with a key of another maker, by %s", async (algorithm) => {
    const issuer = createTokenIssuer(algorithm);
    writeFileSync(key, issuer.privatePem, { mode: 0o600 });
    writeFileSync(`${key}.pub`, issuer.publicPem);
    const { out } = await token(`create --key ${key} --account shop`);
    expect(await token(`inspect --public-key ${key}.pub`, out)).toMatchObject({ code: 0 });
  });

  test.each<[string, string]>([
    ["--account shop", "required option '--key <path>' not specified"],
    ["--key KEY", "required option '--account <name>' not specified"],
    ["--key KEY --account shop --cluster A_b", "Expected a DNS subdomain such as prod-1."],
    ["--key KEY --account shop --expires-in 90", "Expected a duration such as"],
    [`--key KEY --account ${"a".repeat(254)}`, "Expected 1 to 253 characters"],
    ["--key KEY.missing --account shop", "tokens.key.missing: cannot be read: ENOENT"],
    [
      "--key KEY.pub.private --account shop",
      "expected a private key in PEM (BEGIN PRIVATE KEY) without a passphrase",
    ],
  ])("%s exits with 2", async (flags, message) => {
    await token(`keygen ${key}`);
    writeFileSync(`${key}.pub.private`, readFileSync(`${key}.pub`), { mode: 0o600 });
    const { code, out, err } = await token(`create ${flags.replace("KEY", key)}`);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain(message);
  });
});

describe("inspect", () => {
  test("shows a token to people, from standard input or as an argument", async () => {
    const printed = await create("--account shop --subject agent");
    const { code, out } = await token(`inspect --public-key ${key}.pub`, printed);
    expect(code).toBe(0);
    expect(out.split("\n").map((line) => line.split(/: +/).join(": "))).toEqual([
      "Account: shop",
      "Cluster: any of the account",
      "Subject: agent",
      "Audience: evenkeel",
      "Issued: 2026-01-01T00:00:00.000Z (0s ago)",
      "Expires: 2026-04-01T00:00:00.000Z (in 90d)",
      "Algorithm: EdDSA",
      expect.stringMatching(/^Key id: [\w-]{43}$/),
      "Valid: yes",
      "",
    ]);
    const unverified = await token(`inspect ${printed.trim()}`);
    expect(unverified.code).toBe(0);
    expect(unverified.out).toContain("yes, if it is genuine: the signature was not verified (--public-key)");
  });

  test.each<[string, Readonly<Record<string, unknown>>, string]>([
    ["has expired", { exp: 1_767_225_000 }, "token: expired at 2025-12-31T23:50:00.000Z"],
    ["is not valid yet", { nbf: 1_767_226_000 }, "token: not valid before 2026-01-01T00:06:40.000Z"],
    ["is for somebody else", { aud: "other" }, 'token: expected the audience "evenkeel", found "other"'],
    ["names no account", { account: undefined }, 'token: invalid claim "account"'],
    ["never expires", { exp: undefined }, 'token: invalid claim "exp"'],
  ])("exits with 1 for a token that %s, with a key and without", async (_, claims, problem) => {
    const issuer = createTokenIssuer();
    writeFileSync(`${key}.pub`, issuer.publicPem);
    const printed = await issuer.issue(claims);
    for (const flags of ["", `--public-key ${key}.pub`]) {
      const { code, out } = await token(`inspect ${flags}`, printed);
      expect(code).toBe(1);
      expect(out).toContain(`no: ${problem}`);
      const json = JSON.parse((await token(`inspect -o json ${flags}`, printed)).out);
      expect(json).toMatchObject({ verified: false, problem: expect.stringContaining(problem) });
    }
  });

  test("exits with 1 for a token of another key", async () => {
    await token(`keygen ${key}`);
    const printed = await createTokenIssuer().issue();
    expect(await token("inspect", printed)).toMatchObject({ code: 0 });
    const { code, out } = await token(`inspect --public-key ${key}.pub`, printed);
    expect(code).toBe(1);
    expect(out).toContain("is not accepted");
  });

  test.each([
    ["nothing", "", 1, "token: malformed"],
    ["what is no token", "inspect me", 1, "token: malformed"],
  ])("refuses %s", async (_, input, code, message) => {
    expect(await token("inspect", input)).toMatchObject({
      code,
      out: "",
      err: expect.stringContaining(message),
    });
  });

  test("refuses a private key in a public one's place, before it looks at the token", async () => {
    await token(`keygen ${key}`);
    const { code, err } = await token(`inspect --public-key ${key}`, "");
    expect(code).toBe(2);
    expect(err).toContain("found BEGIN PRIVATE KEY");
  });
});

test.each(["", "keygen", "create", "inspect"])("token %s has examples in its help", async (name) => {
  const { code, out } = await token(`${name} --help`);
  expect(code).toBe(0);
  expect(out).toMatch(/Examples:\n {2}\$ evenkeel token/);
});

test("token alone shows its commands, and exits with 2", async () => {
  const { code, err } = await token("");
  expect(code).toBe(2);
  expect(err).toContain("keygen <file>");
});
