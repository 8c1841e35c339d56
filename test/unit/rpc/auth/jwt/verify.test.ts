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

const verify = async (token: string, keys: readonly (PublicKey | undefined)[] = [key]) => {
  const accepted = keys.filter((each) => each !== undefined);
  return (await verifyToken(token, accepted, options)).claims;
};

/** Composes a token from its parts. `sign` returns the third part. */
function forge(header: object, claims: object, sign: (input: string) => string): string {
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString("base64url");
  const input = `${encode(header)}.${encode(claims)}`;
  return `${input}.${sign(input)}`;
}

describe("a token is accepted", () => {
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
    ["from any issuer that has the key", { iss: "https://issuer.example" }],
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
    ["that has expired", { exp: seconds - 30 }, "token: expired at 2025-12-31T23:59:30.000Z"],
    ["that is not valid yet", { nbf: seconds + 31 }, "token: not valid before 2026-01-01T00:00:31.000Z"],
    ["for another audience", { aud: "other" }, 'token: expected the audience "evenkeel", found "other"'],
    ["for no audience", { aud: undefined }, 'token: expected the audience "evenkeel", found ""'],
    ["that never expires", { exp: undefined }, 'token: invalid claim "exp"; expected a time'],
    ["whose expiry is not a number", { exp: "never" }, 'token: invalid claim "exp"; expected a time'],
    ["whose expiry is out of range", { exp: 1e300 }, 'token: invalid claim "exp"; expected a time'],
    ["whose begin is not a number", { nbf: "now" }, 'token: invalid claim "nbf"; expected a time'],
    ["without an account", { account: undefined }, 'token: invalid claim "account"'],
    ["of an empty account", { account: "" }, 'token: invalid claim "account"'],
    ["of an account that is not a string", { account: ["shop"] }, 'token: invalid claim "account"'],
    ["of an account that is too long", { account: "a".repeat(254) }, 'token: invalid claim "account"'],
    ["of an account with a NUL", { account: "a\0" }, 'token: invalid claim "account"'],
    ["of an account with half a surrogate pair", { account: "a\ud800" }, 'token: invalid claim "account"'],
    ["of an invalid cluster name", { cluster: "C 1" }, 'token: invalid claim "cluster"'],
    ["of an empty cluster", { cluster: "" }, 'token: invalid claim "cluster"'],
    ["of the cluster null", { cluster: null }, 'token: invalid claim "cluster"'],
    ["of a subject that is not a string", { sub: 1 }, 'token: invalid claim "sub"; expected a string'],
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
    [
      "with the algorithm none",
      forge({ alg: "none" }, good, () => ""),
      'expected the algorithm EdDSA, found "none"',
    ],
    ["without an algorithm", forge({}, good, () => ""), 'expected the algorithm EdDSA, found "undefined"'],
    [
      "with an HMAC of the public key's PEM",
      forge({ alg: "HS256", kid: issuer.keyId }, good, hmacWith(issuer.publicPem)),
      'expected the algorithm EdDSA, found "HS256"',
    ],
    [
      "with an HMAC of the public key's bytes",
      forge({ alg: "HS256" }, good, hmacWith(der)),
      'expected the algorithm EdDSA, found "HS256"',
    ],
    [
      "with an algorithm that does not fit the key",
      forge({ alg: "ES256", kid: issuer.keyId }, good, () => "AAAA"),
      'expected the algorithm EdDSA, found "ES256"',
    ],
    ["by an unknown key", createTokenIssuer().issue(good), "is not accepted"],
    [
      "by an unknown key with the id of an accepted one",
      createTokenIssuer().issue(good, { kid: issuer.keyId }),
      "token: the signature matches no accepted key",
    ],
    [
      "by an unknown key without an id",
      createTokenIssuer().issue(good, { kid: undefined }),
      "token: the signature matches no accepted key",
    ],
    [
      "by a key whose id is not a string",
      forge({ alg: "EdDSA", kid: 5 }, good, () => "AAAA"),
      'token: key "5" is not accepted',
    ],
    [
      "with extensions that have to be understood",
      forge({ alg: "EdDSA", crit: ["x"], x: 1 }, good, () => "AAAA"),
      "token: malformed",
    ],
    ["that is empty", "", "token: malformed; expected a JWT"],
    ["of one part", "abc", "token: malformed; expected a JWT"],
    ["of parts that are not JSON", "a.b.c", "token: malformed; expected a JWT"],
    ["that is encrypted", "eyJhbGciOiJkaXIifQ.a.b.c.d", "token: malformed; expected a JWT"],
    ["whose claims are not an object", forge({ alg: "EdDSA" }, [], () => "AAAA"), "token: malformed"],
  ])("%s", async (_, token, message) => {
    await expect(verify(await token)).rejects.toThrow(InvalidTokenError);
    await expect(verify(await token)).rejects.toThrow(message);
  });

  test.each([0, 1, 2])(
    "whose part %d was changed, with an error that contains nothing of it",
    async (part) => {
      const parts = (await issuer.issue(good)).split(".");
      const claims = Buffer.from(JSON.stringify({ ...good, account: "bank" })).toString("base64url");
      const header = Buffer.from(JSON.stringify({ alg: "EdDSA", kid: issuer.keyId, typ: "x" })).toString(
        "base64url",
      );
      const signature = Buffer.alloc(64).toString("base64url");
      parts[part] = [header, claims, signature][part] ?? "";
      const error = await verify(parts.join(".")).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(InvalidTokenError);
      expect(String(error)).toContain("signature matches no accepted key");
      for (const each of parts) {
        expect(String(error)).not.toContain(each);
      }
    },
  );

  test("by a server without keys", async () => {
    await expect(verify(await issuer.issue(), [])).rejects.toThrow("is not accepted");
  });
});
