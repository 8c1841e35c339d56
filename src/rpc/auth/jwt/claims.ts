import type { JWTClaimVerificationOptions, JWTPayload } from "jose";
import { isAccountName, isClusterName } from "../../../domain/limits.ts";
import { TerminalError } from "../../../lib/errors.ts";

/**
 * Error for an invalid token. The message begins with "token: ", names the reason, and contains no secret part of it.
 */
export class InvalidTokenError extends TerminalError {
  override readonly name = "InvalidTokenError";
}

/** Claims of a token about its bearer. */
export interface TokenClaims {
  /** Claim `account`. */
  readonly account: string;
  /** Claim `cluster`: the only cluster for which the bearer can open sessions; unset: any cluster of the account. */
  readonly cluster?: string;
  /** Claim `sub`: name of the bearer, for logs. */
  readonly subject?: string;
  /** Claim `exp`. */
  readonly expiresAt: Date;
}

/**
 * Returns the claims of a token whose signature, times and audience were verified.
 *
 * @throws InvalidTokenError if a claim is missing or invalid
 */
export function toTokenClaims({ account, cluster, sub, exp }: JWTPayload): TokenClaims {
  if (typeof account !== "string" || !isAccountName(account)) {
    throw new InvalidTokenError(`token: invalid claim "account"; expected a name of 1 to 253 characters`);
  }
  if (cluster !== undefined && (typeof cluster !== "string" || !isClusterName(cluster))) {
    throw new InvalidTokenError(`token: invalid claim "cluster"; expected a DNS subdomain`);
  }
  if (sub !== undefined && typeof sub !== "string") {
    throw new InvalidTokenError(`token: invalid claim "sub"; expected a string`);
  }
  const expiresAt = fromNumericDate(exp);
  if (expiresAt === undefined) {
    throw new InvalidTokenError(`token: invalid claim "exp"; expected a time`);
  }
  return {
    account,
    ...(cluster !== undefined && { cluster }),
    ...(sub !== undefined && { subject: sub }),
    expiresAt,
  };
}

/** Returns the time of a claim, in seconds since 1970 (RFC 7519, NumericDate); undefined if it is not a time. */
export function fromNumericDate(seconds: unknown): Date | undefined {
  const date = new Date(typeof seconds === "number" ? seconds * 1000 : Number.NaN);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

/** Returns a time in the form of a claim: whole seconds since 1970. */
export function toNumericDate(time: Date): number {
  return Math.floor(time.getTime() / 1000);
}

/** Expectations of a token's claims. */
export interface Expectations {
  /** Expected claim `aud`. */
  readonly audience: string;
  readonly now: Date;
}

/** Tolerated difference of clocks, in milliseconds: a token is accepted this long before and after its validity. */
export const CLOCK_TOLERANCE_MS = 30_000;

/** Returns the rules that jose checks: the audience and the times. */
export function toClaimRules({ audience, now }: Expectations): JWTClaimVerificationOptions {
  return {
    audience,
    currentDate: now,
    clockTolerance: CLOCK_TOLERANCE_MS / 1000,
  };
}
