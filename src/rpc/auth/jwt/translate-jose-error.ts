import { errors } from "jose";
import { InvalidTokenError } from "./claims.ts";
import { fromNumericDate } from "./numeric-date.ts";

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
