import type { JWTPayload } from "jose";
import { isClusterName } from "../../../domain/cluster-name.ts";
import { isAccountName } from "../../../domain/names.ts";
import { InvalidTokenError } from "./claims.ts";
import { fromNumericDate } from "./numeric-date.ts";

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
