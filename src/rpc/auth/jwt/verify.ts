import { errors, type JWTPayload, jwtVerify } from "jose";
import { type Expectations, toClaimRules } from "./claim-rules.ts";
import { InvalidTokenError } from "./claims.ts";
import { decodeToken } from "./decode-token.ts";
import { ALGORITHMS } from "./keys.ts";
import type { PublicKey } from "./public-keys.ts";
import { type TokenClaims, toTokenClaims } from "./token-claims.ts";
import { toInvalidTokenError } from "./translate-jose-error.ts";

/**
 * The claims of a token (RFC 7519) that one of the keys has signed, that is valid now, and that is for the audience.
 *
 * The keys that come into question are those of the token's algorithm, and of its `kid` if it names one. Claims are
 * looked at only after the signature, so that nobody learns what would be right by trying.
 *
 * @throws InvalidTokenError that says what is wrong.
 */
export async function verifyToken(
  token: string,
  keys: readonly PublicKey[],
  expectations: Expectations,
): Promise<TokenClaims> {
  for (const key of selectKeys(token, keys)) {
    const payload = await verifyWith(key, token, expectations);
    if (payload !== undefined) {
      return toTokenClaims(payload);
    }
  }
  throw new InvalidTokenError("the token's signature is by no key that is accepted here");
}

function selectKeys(token: string, keys: readonly PublicKey[]): readonly PublicKey[] {
  const { alg, kid } = decodeToken(token).header;
  const named = kid === undefined ? keys : keys.filter(({ id }) => id === kid);
  if (named.length === 0) {
    throw new InvalidTokenError(`the token is signed with the key ${quote(kid)}, which is not accepted here`);
  }
  const candidates = named.filter(({ algorithm }) => algorithm === alg);
  if (candidates.length === 0) {
    const expected = new Set(named.map(({ algorithm }) => algorithm));
    throw new InvalidTokenError(
      `the token is signed by ${quote(alg)}, expected ${[...expected].join(" or ")}`,
    );
  }
  return candidates;
}

/** The claims; undefined when another key has signed the token. */
async function verifyWith(
  { key }: PublicKey,
  token: string,
  expectations: Expectations,
): Promise<JWTPayload | undefined> {
  try {
    const rules = { algorithms: [...ALGORITHMS], ...toClaimRules(expectations) };
    const { payload } = await jwtVerify(token, key, rules);
    return payload;
  } catch (error) {
    if (error instanceof errors.JWSSignatureVerificationFailed) {
      return undefined;
    }
    throw toInvalidTokenError(error, expectations.audience);
  }
}

/** What a header says, which anybody may have written. */
function quote(value: unknown): string {
  return JSON.stringify(String(value).slice(0, 64));
}
