import { fromNumericDate } from "../../rpc/auth/jwt/claims.ts";
import type { TokenInspection } from "../../rpc/auth/jwt/inspect.ts";
import { formatDuration, formatProperties } from "./table.ts";

/** A token for people. */
export function formatToken(now: Date, { header, claims, verified, problem }: TokenInspection): string {
  return formatProperties([
    ["Account", toText(claims["account"])],
    ["Cluster", claims["cluster"] === undefined ? "any of the account" : toText(claims["cluster"])],
    ["Subject", toText(claims["sub"])],
    ["Issuer", toText(claims["iss"])],
    ["Audience", toText(claims["aud"])],
    ["Issued", formatTime(now, claims["iat"])],
    ["Not before", formatTime(now, claims["nbf"])],
    ["Expires", formatTime(now, claims["exp"])],
    ["Algorithm", toText(header["alg"])],
    ["Key id", toText(header["kid"])],
    ["Valid", problem === undefined ? formatValid(verified) : `no: ${problem}`],
  ]);
}

function formatValid(verified: boolean): string {
  return verified ? "yes" : "yes, if it is genuine: the signature was not verified (--public-key)";
}

/** A time, exact and as a distance: "2026-04-01T00:00:00.000Z (in 89d23h)". */
function formatTime(now: Date, seconds: unknown): string {
  const time = fromNumericDate(seconds);
  if (time === undefined) {
    return toText(seconds);
  }
  const aheadMs = time.getTime() - now.getTime();
  const distance = aheadMs > 0 ? `in ${formatDuration(aheadMs)}` : `${formatDuration(-aheadMs)} ago`;
  return `${time.toISOString()} (${distance})`;
}

/** Formats a claim in one line; empty if it is missing. */
function toText(value: unknown): string {
  return value === undefined || typeof value === "string" ? (value ?? "") : JSON.stringify(value);
}
