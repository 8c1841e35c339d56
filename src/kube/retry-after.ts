/** A day: a server that says more is not believed. */
const MAX_MS = 24 * 60 * 60 * 1000;

/**
 * `Retry-After` in milliseconds, where it is a number of seconds. The API server sends no dates (RFC 9110,
 * 10.2.3, allows them), and a date would need the two clocks to agree.
 */
export function parseRetryAfter(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,9}$/.test(header)
    ? Math.min(Number(header) * 1000, MAX_MS)
    : undefined;
}
