import { hash, type KeyObject } from "node:crypto";

/**
 * The name of a public key in tokens (`kid`) when nobody gave it another: the SHA-256 thumbprint of the key as a JWK
 * (RFC 7638), in base64url.
 */
export function keyIdOf(publicKey: KeyObject): string {
  const { crv, e, kty, n, x, y } = publicKey.export({ format: "jwk" });
  // By name, as the RFC has it; JSON leaves out those that this type of key lacks.
  return hash("sha256", JSON.stringify({ crv, e, kty, n, x, y }), "base64url");
}
