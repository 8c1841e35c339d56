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

/** What a token says, true or not. */
export interface DecodedToken {
  readonly header: Readonly<Record<string, unknown>>;
  readonly claims: Readonly<Record<string, unknown>>;
}

/** Reads a token and verifies nothing. Throws {@link InvalidTokenError} when it is none. */
export function decodeToken(token: string): DecodedToken {
  try {
    return { header: { ...decodeProtectedHeader(token) }, claims: decodeJwt(token) };
  } catch (cause) {
    throw new InvalidTokenError('the token is malformed: expected a JWT, three parts with "." between them', {
      cause,
    });
  }
}

/** What is wrong with a token by an error of jose; an error that says nothing of the token is returned as it is. */
export function toInvalidTokenError(error: unknown, audience: string): unknown {
  const reason = explain(error, audience);
  return reason === undefined ? error : new InvalidTokenError(`the token ${reason}`, { cause: error });
}

function explain(error: unknown, audience: string): string | undefined {
  if (error instanceof errors.JWTExpired) {
    return `expired at ${formatTime(error.payload.exp)}`;
  }
  if (error instanceof errors.JWTClaimValidationFailed) {
    return explainClaim(error, audience);
  }
  // What jose says of a form names parts of a token and never their values.
  return error instanceof errors.JOSEError ? `is malformed: ${error.message}` : undefined;
}

function explainClaim(error: errors.JWTClaimValidationFailed, audience: string): string {
  const { claim, reason, payload } = error;
  switch (claim) {
    case "aud":
      return `is for the audience ${JSON.stringify(payload.aud ?? "")}, expected "${audience}"`;
    case "nbf":
      return reason === "check_failed"
        ? `is not valid before ${formatTime(payload.nbf)}`
        : 'is malformed: its claim "nbf" is no time';
    case "exp":
      return 'has no time of expiry (claim "exp")';
    default:
      return `is malformed: ${error.message}`;
  }
}

function formatTime(seconds: unknown): string {
  return fromNumericDate(seconds)?.toISOString() ?? String(seconds);
}
