import { createHmac, createPublicKey } from "node:crypto";
import { describe, expect, test } from "vitest";
import { InvalidTokenError } from "../../../../../src/rpc/auth/jwt/claims.ts";
import { ALGORITHMS, type PublicKey, parsePublicKeys } from "../../../../../src/rpc/auth/jwt/keys.ts";
import { verifyToken } from "../../../../../src/rpc/auth/jwt/verify.ts";
import { createTokenIssuer } from "../../../../support/rpc/token-issuer.ts";

const now = new Date("2026-01-01T00:00:00Z");
const seconds = now.getTime() / 1000;
const issuer = createTokenIssuer();
const [key] = parsePublicKeys(issuer.publicPem);
const options = { audience: "evenkeel", now };

const verify = (token: string, keys: readonly (PublicKey | undefined)[] = [key]) =>
  verifyToken(
    token,
    keys.filter((each) => each !== undefined),
    options,
  );

/** A token put together by hand: `sign` gives its third part. */
function forge(header: object, claims: object, sign: (input: string) => string): string {
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString("base64url");
  const input = `${encode(header)}.${encode(claims)}`;
  return `${input}.${sign(input)}`;
}

describe("a token is good", () => {
  test.each(ALGORITHMS)("signed by %s", async (algorithm) => {
    const other = createTokenIssuer(algorithm);
    const token = await other.issue({ account: "a", cluster: "c1", sub: "agent", exp: seconds + 60 });
    expect(await verify(token, [key, ...parsePublicKeys(other.publicPem)])).toEqual({
      account: "a",
      cluster: "c1",
      subject: "agent",
      expiresAt: new Date("2026-01-01T00:01:00Z"),
    });
  });

  test.each<[string, Readonly<Record<string, unknown>>]>([
    ["for several audiences", { aud: ["other", "evenkeel"] }],
    ["that expired less than 30 s ago", { exp: seconds - 29 }],
    ["that is valid in less than 30 s", { nbf: seconds + 29 }],
    ["of an account of 253 characters", { account: "ä".repeat(253) }],
    ["from anybody who has the key", { iss: "https://issuer.example" }],
  ])("%s", async (_, claims) => {
    await expect(verify(await issuer.issue(claims))).resolves.toMatchObject({
      account: claims["account"] ?? "shop",
    });
  });

  test("without a key id, by any of the keys", async () => {
    const keys = [createTokenIssuer(), createTokenIssuer(), issuer].map(
      (each) => parsePublicKeys(each.publicPem)[0],
    );
    const token = await issuer.issue({}, { kid: undefined });
    expect(await verify(token, keys)).toMatchObject({ account: "shop" });
  });
});

describe("a token is refused", () => {
  test.each<[string, Readonly<Record<string, unknown>>, string]>([
    ["that has expired", { exp: seconds - 30 }, "the token expired at 2025-12-31T23:59:30.000Z"],
    [
      "that is not valid yet",
      { nbf: seconds + 31 },
      "the token is not valid before 2026-01-01T00:00:31.000Z",
    ],
    ["for another audience", { aud: "other" }, 'the token is for the audience "other", expected "evenkeel"'],
    ["for no audience", { aud: undefined }, 'the token is for the audience "", expected "evenkeel"'],
    ["that never expires", { exp: undefined }, 'the token has no time of expiry (claim "exp")'],
    ["that expires at no time", { exp: "never" }, 'the token has no time of expiry (claim "exp")'],
    ["that expires beyond all time", { exp: 1e300 }, 'the token has no time of expiry (claim "exp")'],
    ["valid from no time", { nbf: "now" }, 'the token is malformed: its claim "nbf" is no time'],
    ["of no account", { account: undefined }, "the token names no account"],
    ["of an empty account", { account: "" }, "the token names no account"],
    ["of an account that is no text", { account: ["shop"] }, "the token names no account"],
    ["of an account too long", { account: "a".repeat(254) }, "the token names no account"],
    ["of an account with a NUL", { account: "a\0" }, "the token names no account"],
    ["of an account with half a character", { account: "a\ud800" }, "the token names no account"],
    ["of a cluster that is none", { cluster: "C 1" }, 'the token\'s claim "cluster" is no name of a cluster'],
    ["of an empty cluster", { cluster: "" }, 'the token\'s claim "cluster" is no name of a cluster'],
    ["of no cluster, explicitly", { cluster: null }, 'the token\'s claim "cluster" is no name of a cluster'],
    ["of a subject that is no text", { sub: 1 }, 'the token\'s claim "sub" is no text'],
  ])("%s", async (_, claims, message) => {
    const token = await issuer.issue(claims);
    await expect(verify(token)).rejects.toThrow(InvalidTokenError);
    await expect(verify(token)).rejects.toThrow(message);
  });

  const good = { account: "shop", aud: "evenkeel", exp: seconds + 60 };
  const hmacWith = (secret: string | Buffer) => (input: string) =>
    createHmac("sha256", secret).update(input).digest("base64url");
  const der = createPublicKey(issuer.publicPem).export({ type: "spki", format: "der" });

  test.each<[string, string | Promise<string>, string]>([
    ["with the algorithm none", forge({ alg: "none" }, good, () => ""), 'signed by "none", expected EdDSA'],
    ["with no algorithm", forge({}, good, () => ""), 'signed by "undefined", expected EdDSA'],
    [
      "with an HMAC of the public key's PEM",
      forge({ alg: "HS256", kid: issuer.keyId }, good, hmacWith(issuer.publicPem)),
      'signed by "HS256", expected EdDSA',
    ],
    [
      "with an HMAC of the public key's bytes",
      forge({ alg: "HS256" }, good, hmacWith(der)),
      'signed by "HS256", expected EdDSA',
    ],
    [
      "with an algorithm that the key is not for",
      forge({ alg: "ES256", kid: issuer.keyId }, good, () => "AAAA"),
      'signed by "ES256", expected EdDSA',
    ],
    ["by a stranger", createTokenIssuer().issue(good), "which is not accepted here"],
    [
      "by a stranger who takes the key's name",
      createTokenIssuer().issue(good, { kid: issuer.keyId }),
      "the token's signature is by no key that is accepted here",
    ],
    [
      "by a stranger who names no key",
      createTokenIssuer().issue(good, { kid: undefined }),
      "the token's signature is by no key that is accepted here",
    ],
    [
      "by a key of a name that is no text",
      forge({ alg: "EdDSA", kid: 5 }, good, () => "AAAA"),
      'signed with the key "5", which is not accepted here',
    ],
    [
      "with extensions that have to be understood",
      forge({ alg: "EdDSA", crit: ["x"], x: 1 }, good, () => "AAAA"),
      "the token is malformed",
    ],
    ["that is empty", "", "the token is malformed: expected a JWT"],
    ["of one part", "abc", "the token is malformed: expected a JWT"],
    ["of parts that are nothing", "a.b.c", "the token is malformed: expected a JWT"],
    ["that is encrypted", "eyJhbGciOiJkaXIifQ.a.b.c.d", "the token is malformed: expected a JWT"],
    ["whose claims are no object", forge({ alg: "EdDSA" }, [], () => "AAAA"), "the token is malformed"],
  ])("%s", async (_, token, message) => {
    await expect(verify(await token)).rejects.toThrow(InvalidTokenError);
    await expect(verify(await token)).rejects.toThrow(message);
  });

  test.each([0, 1, 2])("when part %d was changed, and its message shows nothing of it", async (part) => {
    const parts = (await issuer.issue(good)).split(".");
    const claims = Buffer.from(JSON.stringify({ ...good, account: "bank" })).toString("base64url");
    const header = Buffer.from(JSON.stringify({ alg: "EdDSA", kid: issuer.keyId, typ: "x" })).toString(
      "base64url",
    );
    const signature = Buffer.alloc(64).toString("base64url");
    parts[part] = [header, claims, signature][part] ?? "";
    const error = await verify(parts.join(".")).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(InvalidTokenError);
    expect(String(error)).toContain("signature is by no key");
    for (const each of parts) {
      expect(String(error)).not.toContain(each);
    }
  });

  test("when there are no keys at all", async () => {
    await expect(verify(await issuer.issue(), [])).rejects.toThrow("which is not accepted here");
  });
});
