import type { JWTClaimVerificationOptions, JWTPayload } from "jose";
import { isAccountName, isClusterName } from "../../../domain/names.ts";
import { TerminalError } from "../../../lib/errors.ts";

/** A token proves nothing; the message begins with "the token", says why, and shows nothing that is secret of it. */
export class InvalidTokenError extends TerminalError {
  override readonly name = "InvalidTokenError";
}

/** What a token says of its bearer. */
export interface TokenClaims {
  /** Claim `account`. */
  readonly account: string;
  /** Claim `cluster`: the one cluster that the bearer may speak for; unset is any of the account. */
  readonly cluster?: string;
  /** Claim `sub`: who that is, for logs. */
  readonly subject?: string;
  /** Claim `exp`. */
  readonly expiresAt: Date;
}

/** The claims of a token whose signature, times and audience have been verified. */
export function toTokenClaims({ account, cluster, sub, exp }: JWTPayload): TokenClaims {
  if (typeof account !== "string" || !isAccountName(account)) {
    throw new InvalidTokenError(
      `the token names no account: expected 1 to 253 characters as claim "account"`,
    );
  }
  if (cluster !== undefined && (typeof cluster !== "string" || !isClusterName(cluster))) {
    throw new InvalidTokenError(
      `the token's claim "cluster" is no name of a cluster: expected a DNS subdomain`,
    );
  }
  if (sub !== undefined && typeof sub !== "string") {
    throw new InvalidTokenError(`the token's claim "sub" is no text`);
  }
  const expiresAt = fromNumericDate(exp);
  if (expiresAt === undefined) {
    throw new InvalidTokenError(`the token has no time of expiry (claim "exp")`);
  }
  return {
    account,
    ...(cluster !== undefined && { cluster }),
    ...(sub !== undefined && { subject: sub }),
    expiresAt,
  };
}

/** The time of a claim, in seconds since 1970 (RFC 7519, NumericDate); undefined when it is none. */
export function fromNumericDate(seconds: unknown): Date | undefined {
  const date = new Date(typeof seconds === "number" ? seconds * 1000 : Number.NaN);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

/** A time as a claim has it, in whole seconds. */
export function toNumericDate(time: Date): number {
  return Math.floor(time.getTime() / 1000);
}

/** What a token is held against. */
export interface Expectations {
  /** Whom it has to be for (claim `aud`). */
  readonly audience: string;
  readonly now: Date;
}

/** By how much clocks may differ, in milliseconds: a token is taken so long before it is valid, and after. */
export const CLOCK_TOLERANCE_MS = 30_000;

/** What jose shall see to: the audience and the times. */
export function toClaimRules({ audience, now }: Expectations): JWTClaimVerificationOptions {
  return {
    audience,
    currentDate: now,
    clockTolerance: CLOCK_TOLERANCE_MS / 1000,
  };
}
