import { UnsecuredJWT } from "jose";
import { type Expectations, InvalidTokenError, toClaimRules, toTokenClaims } from "./claims.ts";
import type { PublicKey } from "./keys.ts";
import { type DecodedToken, decodeToken, toInvalidTokenError, verifyToken } from "./verify.ts";

/** A decoded token and the result of its verification. */
export interface TokenInspection extends DecodedToken {
  /** True if one of the keys has signed it. False without keys. */
  readonly verified: boolean;
  /** Reason why a server would refuse it; unset if no problem was found. */
  readonly problem?: string;
}

/**
 * Decodes and verifies a token.
 *
 * @param keys accepted keys; undefined: the signature is not verified
 * @throws InvalidTokenError if the text is not a token
 */
export async function inspectToken(
  token: string,
  keys: readonly PublicKey[] | undefined,
  expectations: Expectations,
): Promise<TokenInspection> {
  const decoded = decodeToken(token);
  try {
    if (keys === undefined) {
      assertClaims(decoded, expectations);
    } else {
      await verifyToken(token, keys, expectations);
    }
    return { ...decoded, verified: keys !== undefined };
  } catch (error) {
    if (!(error instanceof InvalidTokenError)) {
      throw error;
    }
    return { ...decoded, verified: false, problem: error.message };
  }
}

/** Checks the claims. Jose checks claims of complete tokens only, so they are encoded in an unsigned token. */
function assertClaims({ claims }: DecodedToken, expectations: Expectations): void {
  try {
    const unsigned = new UnsecuredJWT({ ...claims }).encode();
    UnsecuredJWT.decode(unsigned, toClaimRules(expectations));
  } catch (error) {
    throw toInvalidTokenError(error, expectations.audience);
  }
  toTokenClaims(claims);
}
