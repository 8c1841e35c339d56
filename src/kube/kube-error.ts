import { RetryableError, TerminalError } from "../lib/errors.ts";

/** The API server refuses, and will until somebody changes something: a role, a name, an installed API. */
export class KubeRefusedError extends TerminalError {
  override readonly name = "KubeRefusedError";
  readonly status: number;
  /** One word in CamelCase, as in Kubernetes's `Status.reason`. */
  readonly reason: string;

  constructor(message: string, status: number, reason: string) {
    super(message);
    this.status = status;
    this.reason = reason;
  }
}

/** The API server cannot answer now. */
export class KubeUnavailableError extends RetryableError {
  override readonly name = "KubeUnavailableError";
  readonly status: number;
  /** One word in CamelCase, as in Kubernetes's `Status.reason`. */
  readonly reason: string;

  constructor(message: string, status: number, reason: string, retryAfterMs?: number) {
    super(message, retryAfterMs === undefined ? {} : { retryAfterMs });
    this.status = status;
    this.reason = reason;
  }
}

/**
 * What came is not what was asked for: a body cut off, a proxy's page, a field missing. Never taken for
 * "empty".
 */
export class MalformedResponseError extends RetryableError {
  override readonly name = "MalformedResponseError";
  readonly reason = "MalformedResponse";
}

/** The version asked for is compacted away (410): start over with a new list. */
export abstract class ExpiredError extends RetryableError {
  readonly reason = "Expired";
}

/** The `continue` token expired in the middle of a list: what came of it is no list. */
export class ExpiredListError extends ExpiredError {
  override readonly name = "ExpiredListError";
}

/** The version to watch from is compacted away. */
export class WatchExpiredError extends ExpiredError {
  override readonly name = "WatchExpiredError";
}

interface StatusRule {
  readonly reason: string;
  readonly retry: boolean;
}

/** What each HTTP status means; any other 4xx is refused, anything else may pass. */
const STATUS_RULES: Readonly<Record<number, StatusRule>> = {
  400: { reason: "BadRequest", retry: false },
  // A token may have been rotated: the next request takes the new one.
  401: { reason: "Unauthorized", retry: true },
  403: { reason: "Forbidden", retry: false },
  // Of a list: the API is not installed. It says nothing about objects.
  404: { reason: "NotFound", retry: false },
  405: { reason: "MethodNotAllowed", retry: false },
  406: { reason: "NotAcceptable", retry: false },
  408: { reason: "RequestTimeout", retry: true },
  409: { reason: "Conflict", retry: true },
  410: { reason: "Expired", retry: true },
  422: { reason: "Invalid", retry: false },
  429: { reason: "TooManyRequests", retry: true },
  500: { reason: "InternalError", retry: true },
  502: { reason: "BadGateway", retry: true },
  503: { reason: "ServiceUnavailable", retry: true },
  504: { reason: "Timeout", retry: true },
};

/** Translates an HTTP status other than 2xx; `what` names the request. */
export function toKubeError(
  what: string,
  status: number,
  message: string,
  retryAfterMs?: number,
): KubeRefusedError | KubeUnavailableError {
  const rule = STATUS_RULES[status] ?? { reason: "UnexpectedStatus", retry: status < 400 || status >= 500 };
  const text = `${what}: ${status} ${rule.reason}${message === "" ? "" : `: ${message}`}`;
  return rule.retry
    ? new KubeUnavailableError(text, status, rule.reason, retryAfterMs)
    : new KubeRefusedError(text, status, rule.reason);
}

/** The one word for a failed request; "Unavailable" when no answer came. */
export function reasonOf(error: unknown): string {
  const { reason } = (typeof error === "object" && error !== null ? error : {}) as { reason?: unknown };
  return typeof reason === "string" && /^[A-Z][A-Za-z0-9]{0,63}$/.test(reason)
    ? reason
    : error instanceof RetryableError
      ? "Unavailable"
      : "Internal";
}
