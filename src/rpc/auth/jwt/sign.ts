import { SignJWT } from "jose";
import { type TokenClaims, toNumericDate } from "./claims.ts";
import type { PrivateKey } from "./keys.ts";

/** Claims of a new token. */
export interface NewToken extends TokenClaims {
  /** Claim `aud`. */
  readonly audience: string;
  readonly issuedAt: Date;
}

/** Signs a token, a JWT in compact form. */
export async function signToken(
  { id, algorithm, key }: PrivateKey,
  { account, cluster, subject, audience, issuedAt, expiresAt }: NewToken,
): Promise<string> {
  const claims = {
    account,
    ...(cluster !== undefined && { cluster }),
    ...(subject !== undefined && { sub: subject }),
    aud: audience,
    iat: toNumericDate(issuedAt),
    exp: toNumericDate(expiresAt),
  };
  return await new SignJWT(claims).setProtectedHeader({ alg: algorithm, kid: id, typ: "JWT" }).sign(key);
}
