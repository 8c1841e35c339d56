import type { JWTClaimVerificationOptions } from "jose";

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
