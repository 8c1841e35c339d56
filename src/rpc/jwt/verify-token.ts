import { errors, type JWTPayload, jwtVerify } from "jose";
import { ALGORITHMS } from "./algorithm.ts";
import { decodeToken } from "./decode-token.ts";
import { InvalidTokenError } from "./invalid-token-error.ts";
import type { PublicKey } from "./public-keys.ts";
import { type TokenClaims, toTokenClaims } from "./token-claims.ts";
import { toInvalidTokenError } from "./translate-jose-error.ts";

/** What a token is held against. */
export interface VerifyTokenOptions {
  /** Whom it has to be for (claim `aud`). */
  readonly audience: string;
  readonly now: Date;
}

/** By how much clocks may differ, in milliseconds: a token is taken so long before it is valid, and after. */
export const CLOCK_TOLERANCE_MS = 30_000;

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
  options: VerifyTokenOptions,
): Promise<TokenClaims> {
  for (const key of selectKeys(token, keys)) {
    const payload = await verifyWith(key, token, options);
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
  { audience, now }: VerifyTokenOptions,
): Promise<JWTPayload | undefined> {
  try {
    const { payload } = await jwtVerify(token, key, {
      algorithms: [...ALGORITHMS],
      audience,
      currentDate: now,
      clockTolerance: CLOCK_TOLERANCE_MS / 1000,
      requiredClaims: ["exp"],
    });
    return payload;
  } catch (error) {
    if (error instanceof errors.JWSSignatureVerificationFailed) {
      return undefined;
    }
    throw toInvalidTokenError(error, audience);
  }
}

/** What a header says, which anybody may have written. */
function quote(value: unknown): string {
  return JSON.stringify(String(value).slice(0, 64));
}
