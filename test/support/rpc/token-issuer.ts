import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { SignJWT } from "jose";
import { type Algorithm, algorithmOf, keyIdOf } from "../../../src/rpc/auth/jwt/keys.ts";

/** What stands in a token, right or wrong. */
type Parts = Readonly<Record<string, unknown>>;

/** Somebody who makes tokens. */
export interface TokenIssuer {
  readonly keyId: string;
  readonly publicKey: KeyObject;
  /** SPKI. */
  readonly publicPem: string;
  /** PKCS #8. */
  readonly privatePem: string;
  /**
   * A token of account "shop" for the audience "evenkeel", good until the year 2100, unless the claims say otherwise.
   * Claims and parts of the header that are undefined are left out.
   */
  issue(claims?: Parts, header?: Parts): Promise<string>;
}

/** 2100-01-01T00:00:00Z, as a claim has it. */
const IN_2100 = 4_102_444_800;

/** Makes a key pair, and tokens with it. */
export function createTokenIssuer(algorithm: Algorithm = "EdDSA"): TokenIssuer {
  const { publicKey, privateKey } = generateKeyPair(algorithm);
  const keyId = keyIdOf(publicKey);
  return {
    keyId,
    publicKey,
    publicPem: publicKey.export({ type: "spki", format: "pem" }).toString(),
    privatePem: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    issue: (claims = {}, header = {}) =>
      new SignJWT({ account: "shop", aud: "evenkeel", exp: IN_2100, ...claims })
        .setProtectedHeader({ alg: algorithmOf(privateKey) ?? "", kid: keyId, ...header })
        .sign(privateKey),
  };
}

function generateKeyPair(algorithm: Algorithm) {
  switch (algorithm) {
    case "EdDSA":
      return generateKeyPairSync("ed25519");
    case "ES256":
      return generateKeyPairSync("ec", { namedCurve: "P-256" });
    case "RS256":
      return generateKeyPairSync("rsa", { modulusLength: 2048 });
    default:
      return algorithm satisfies never;
  }
}
