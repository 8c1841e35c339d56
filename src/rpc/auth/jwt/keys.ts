import type { KeyObject } from "node:crypto";

/** The signatures that tokens may have. Neither "none" nor HMAC: with a key that is public, anybody could make those. */
export const ALGORITHMS = ["EdDSA", "ES256", "RS256"] as const;

/** One of {@link ALGORITHMS}, as a token's header names it (RFC 7518, RFC 8037). */
export type Algorithm = (typeof ALGORITHMS)[number];

/** Keys that tokens can be signed with, for people. */
export const ALGORITHM_KEYS = "Ed25519, EC P-256, or RSA of at least 2048 bits";

const MIN_RSA_BITS = 2048;

/**
 * The one algorithm that a key is for; undefined when there is none. The type of the key decides it, never what a
 * token says.
 */
export function algorithmOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): Algorithm | undefined {
  switch (asymmetricKeyType) {
    case "ed25519":
      return "EdDSA";
    case "ec":
      return asymmetricKeyDetails?.namedCurve === "prime256v1" ? "ES256" : undefined;
    case "rsa":
      return (asymmetricKeyDetails?.modulusLength ?? 0) >= MIN_RSA_BITS ? "RS256" : undefined;
    default:
      return undefined;
  }
}
