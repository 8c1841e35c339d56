import { SignJWT } from "jose";
import { type TokenClaims, toNumericDate } from "./claims.ts";
import type { PrivateKey } from "./keys.ts";

/** What a token shall say. */
export interface NewToken extends TokenClaims {
  /** Whom it is for. */
  readonly audience: string;
  readonly issuedAt: Date;
}

/** Makes a token, a JWT in its compact form. */
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
