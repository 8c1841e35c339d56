import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { SignJWT } from "jose";
import { type Algorithm, algorithmOf, keyIdOf } from "../../../src/rpc/auth/jwt/keys.ts";

/** Claims or header of a token, valid or not. */
type Parts = Readonly<Record<string, unknown>>;

/** Issuer of tokens. */
export interface TokenIssuer {
  readonly keyId: string;
  readonly publicKey: KeyObject;
  /** Public key in SPKI. */
  readonly publicPem: string;
  /** Private key in PKCS #8. */
  readonly privatePem: string;
  /**
   * Issues a token of account "shop" for the audience "evenkeel" that expires in 2100, unless `claims` differ.
   * Undefined claims and header parameters are omitted.
   */
  issue(claims?: Parts, header?: Parts): Promise<string>;
}

/** 2100-01-01T00:00:00Z in the form of a claim. */
const IN_2100 = 4_102_444_800;

/** Creates an issuer with a new key pair. */
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
