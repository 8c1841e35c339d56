import { RetryableError, TerminalError } from "../lib/errors.ts";

/** Reports a refusal that stays until a person changes a role, a name or an installed API. */
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

/** Reports that the API server cannot answer now. */
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
 * Reports a response that does not match the request: a truncated body, the page of a proxy, or a missing
 * field. It is never treated as "empty".
 */
export class MalformedResponseError extends RetryableError {
  override readonly name: string = "MalformedResponseError";
  readonly reason = "MalformedResponse";
}

/**
 * Reports a 404 that does not prove that an object is absent: a gateway sent it, or the API server does not serve the
 * resource type.
 */
export class UnprovenAbsenceError extends MalformedResponseError {
  override readonly name = "UnprovenAbsenceError";
}

/** Reports that a read returned an older version of an object than a list or a watch has shown. */
export class StaleReadError extends RetryableError {
  override readonly name = "StaleReadError";
  readonly reason = "StaleRead";
}

/** Reports a response with more bytes than the request may have. */
export class ResponseTooLargeError extends RetryableError {
  override readonly name = "ResponseTooLargeError";
  readonly reason = "ResponseTooLarge";
}

/** Reports that etcd has compacted the requested version (410). The caller must start with a new list. */
export abstract class ExpiredError extends RetryableError {
  readonly reason = "Expired";
}

/** Reports that the `continue` token expired within a list. The pages read so far are not a list. */
export class ExpiredListError extends ExpiredError {
  override readonly name = "ExpiredListError";
}

/** Reports that etcd has compacted the version from which the watch should start. */
export class WatchExpiredError extends ExpiredError {
  override readonly name = "WatchExpiredError";
}

interface StatusRule {
  readonly reason: string;
  readonly retry: boolean;
}

/** Meaning of each HTTP status. Any other 4xx is a refusal; any other status is retried. */
const STATUS_RULES: Readonly<Record<number, StatusRule>> = {
  400: { reason: "BadRequest", retry: false },
  // A token may have been rotated; the next request uses the new one.
  401: { reason: "Unauthorized", retry: true },
  403: { reason: "Forbidden", retry: false },
  // For a list, the API is not installed. That proves nothing about objects.
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

/** Returns the error for an HTTP status other than 2xx; `what` names the request. */
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

/** Returns the reason of a failed request, one word in CamelCase; "Unavailable" if no response arrived. */
export function reasonOf(error: unknown): string {
  const { reason } = (typeof error === "object" && error !== null ? error : {}) as { reason?: unknown };
  return typeof reason === "string" && /^[A-Z][A-Za-z0-9]{0,63}$/.test(reason)
    ? reason
    : error instanceof RetryableError
      ? "Unavailable"
      : "Internal";
}
