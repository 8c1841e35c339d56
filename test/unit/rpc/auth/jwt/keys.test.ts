import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { calculateJwkThumbprint } from "jose";
import { describe, expect, test } from "vitest";
import { ConfigError } from "../../../../../src/lib/errors.ts";
import { ALGORITHMS, keyIdOf, parsePublicKeys } from "../../../../../src/rpc/auth/jwt/keys.ts";
import { createTokenIssuer } from "../../../../support/rpc/token-issuer.ts";

const [ed, ec, rsa] = ALGORITHMS.map((algorithm) => createTokenIssuer(algorithm));
const jwkOf = (issuer = ed) => issuer?.publicKey.export({ format: "jwk" }) ?? {};
const setOf = (...keys: unknown[]) => JSON.stringify({ keys });
const spki = (key: ReturnType<typeof createPublicKey>) =>
  key.export({ type: "spki", format: "pem" }).toString();

describe("key ids", () => {
  test("are those of RFC 7638, section 3.1", () => {
    const n =
      "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
    const key = createPublicKey({ key: { kty: "RSA", e: "AQAB", n }, format: "jwk" });
    expect(keyIdOf(key)).toBe("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
  });

  test.each([ed, ec, rsa])("are those of jose", async (issuer) => {
    expect(issuer && keyIdOf(issuer.publicKey)).toBe(await calculateJwkThumbprint(jwkOf(issuer)));
  });
});

describe("keys are parsed", () => {
  test("from a PEM file with several keys and other text between them", () => {
    const text = `# the old one\n${ed?.publicPem}\n# the new one\n${ec?.publicPem}${rsa?.publicPem}`;
    expect(parsePublicKeys(text).map(({ id, algorithm }) => [id, algorithm])).toEqual([
      [ed?.keyId, "EdDSA"],
      [ec?.keyId, "ES256"],
      [rsa?.keyId, "RS256"],
    ]);
  });

  test("from a JWK set, with their own ids if they have one, without keys for other purposes", () => {
    const text = setOf(
      { ...jwkOf(), kid: "mine", use: "sig", alg: "EdDSA" },
      jwkOf(ec),
      { ...jwkOf(rsa), use: "enc" },
      { ...jwkOf(rsa), alg: "PS256" },
      { kty: "AKP", alg: "ML-DSA-44", pub: "AA" },
      { kty: "EC", crv: "P-256" },
    );
    expect(parsePublicKeys(text).map(({ id }) => id)).toEqual(["mine", ec?.keyId]);
  });
});

describe("a file is refused", () => {
  const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey;
  const weak = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey;
  test.each<[string, string, string]>([
    [
      "with a private key",
      ed?.privatePem ?? "",
      "expected a public key (BEGIN PUBLIC KEY), found BEGIN PRIVATE KEY",
    ],
    [
      "with a private key behind a public one",
      `${ed?.publicPem}${ec?.privatePem}`,
      "found BEGIN PRIVATE KEY",
    ],
    ["with a private JWK", setOf({ ...jwkOf(), d: "AA" }), "found one that is private"],
    ["with a shared secret", setOf(jwkOf(), { kty: "oct", k: "AA" }), "a shared secret"],
    [
      "with a certificate",
      "-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----",
      "found BEGIN CERTIFICATE",
    ],
    ["with another curve", spki(p384), "expected a key of Ed25519, EC P-256, or RSA"],
    ["with a short RSA key", spki(weak), "RSA of at least 2048 bits"],
    [
      "with a key that is broken",
      "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
      "not a public key",
    ],
    ["without content", "", "expected a key in PEM"],
    ["with an empty set", setOf(), "found none"],
    ["with a set without keys for signatures", setOf({ ...jwkOf(), use: "enc" }), "found none"],
    ["with JSON of another shape", '{"keys": 1}', "expected a JWK set in JSON"],
    ["with incomplete JSON", '{"keys": [', "expected a JWK set in JSON"],
  ])("%s", (_, text, message) => {
    expect(() => parsePublicKeys(text)).toThrow(ConfigError);
    expect(() => parsePublicKeys(text)).toThrow(message);
  });
});
