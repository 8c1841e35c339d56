import { decodeJwt, decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from "jose";
import {
  type Expectations,
  fromNumericDate,
  InvalidTokenError,
  type TokenClaims,
  toClaimRules,
  toTokenClaims,
} from "./claims.ts";
import { ALGORITHMS, type PublicKey } from "./keys.ts";

/** Claims of a token, and the key that has signed it. */
export interface VerifiedToken {
  readonly claims: TokenClaims;
  readonly key: PublicKey;
}

/**
 * Verifies a token (RFC 7519) that one of the keys has signed, that is valid now, and that is for the audience.
 *
 * Only keys with the token's algorithm and, if it has one, its `kid` are tried. Claims are checked after the signature,
 * so that a caller without a key cannot find valid claims by trying.
 *
 * @throws InvalidTokenError that names the reason
 */
export async function verifyToken(
  token: string,
  keys: readonly PublicKey[],
  expectations: Expectations,
): Promise<VerifiedToken> {
  for (const key of selectKeys(token, keys)) {
    const payload = await verifyWith(key, token, expectations);
    if (payload !== undefined) {
      return { claims: toTokenClaims(payload), key };
    }
  }
  throw new InvalidTokenError("token: the signature matches no accepted key");
}

function selectKeys(token: string, keys: readonly PublicKey[]): readonly PublicKey[] {
  const { alg, kid } = decodeToken(token).header;
  const named = kid === undefined ? keys : keys.filter(({ id }) => id === kid);
  if (named.length === 0) {
    throw new InvalidTokenError(`token: key ${quote(kid)} is not accepted`);
  }
  const candidates = named.filter(({ algorithm }) => algorithm === alg);
  if (candidates.length === 0) {
    const expected = new Set(named.map(({ algorithm }) => algorithm));
    throw new InvalidTokenError(
      `token: expected the algorithm ${[...expected].join(" or ")}, found ${quote(alg)}`,
    );
  }
  return candidates;
}

/** Returns the claims; undefined if another key has signed the token. */
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

/** Quotes an unverified value of a header, shortened: any caller can have written it. */
function quote(value: unknown): string {
  return JSON.stringify(String(value).slice(0, 64));
}

/** Unverified content of a token. */
export interface DecodedToken {
  readonly header: Readonly<Record<string, unknown>>;
  readonly claims: Readonly<Record<string, unknown>>;
}

/**
 * Decodes a token without verification.
 *
 * @throws InvalidTokenError if the text is not a token
 */
export function decodeToken(token: string): DecodedToken {
  try {
    return { header: { ...decodeProtectedHeader(token) }, claims: decodeJwt(token) };
  } catch (cause) {
    throw new InvalidTokenError('token: malformed; expected a JWT, three parts with "." between them', {
      cause,
    });
  }
}

/** Translates an error of jose about a token. Returns other errors unchanged. */
export function toInvalidTokenError(error: unknown, audience: string): unknown {
  const reason = explain(error, audience);
  if (reason === undefined) {
    return error;
  }
  const info = error instanceof errors.JWTExpired ? { info: { reason: "TOKEN_EXPIRED" } } : {};
  return new InvalidTokenError(`token: ${reason}`, { cause: error, ...info });
}

function explain(error: unknown, audience: string): string | undefined {
  if (error instanceof errors.JWTExpired) {
    return `expired at ${formatTime(error.payload.exp)}`;
  }
  if (error instanceof errors.JWTClaimValidationFailed) {
    return explainClaim(error, audience);
  }
  // Jose's messages about malformed tokens name parts of the token, never their values.
  return error instanceof errors.JOSEError ? `malformed: ${error.message}` : undefined;
}

function explainClaim(error: errors.JWTClaimValidationFailed, audience: string): string {
  const { claim, reason, payload } = error;
  switch (claim) {
    case "aud":
      return `expected the audience "${audience}", found ${JSON.stringify(payload.aud ?? "")}`;
    case "nbf":
      return reason === "check_failed"
        ? `not valid before ${formatTime(payload.nbf)}`
        : 'invalid claim "nbf"; expected a time';
    case "exp":
      return 'invalid claim "exp"; expected a time';
    default:
      return `malformed: ${error.message}`;
  }
}

function formatTime(seconds: unknown): string {
  return fromNumericDate(seconds)?.toISOString() ?? String(seconds);
}
