import { UnsecuredJWT } from "jose";
import { type Expectations, InvalidTokenError, toClaimRules, toTokenClaims } from "./claims.ts";
import type { PublicKey } from "./keys.ts";
import { type DecodedToken, decodeToken, toInvalidTokenError, verifyToken } from "./verify.ts";

/** What a token says, and whether it is so. */
export interface TokenInspection extends DecodedToken {
  /** One of the keys has signed it; without keys nobody knows. */
  readonly verified: boolean;
  /** Why a server would refuse it; unset when nothing was found wrong. */
  readonly problem?: string;
}

/**
 * Looks into a token. Throws {@link InvalidTokenError} when it is none.
 *
 * @param keys that it may be signed by; undefined leaves the signature alone.
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

/** Jose looks at the claims of whole tokens only: these get one without a signature. */
function assertClaims({ claims }: DecodedToken, expectations: Expectations): void {
  try {
    const unsigned = new UnsecuredJWT({ ...claims }).encode();
    UnsecuredJWT.decode(unsigned, toClaimRules(expectations));
  } catch (error) {
    throw toInvalidTokenError(error, expectations.audience);
  }
  toTokenClaims(claims);
}
