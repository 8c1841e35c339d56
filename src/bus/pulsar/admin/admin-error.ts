import { ConflictError, NotFoundError, RetryableError, TerminalError } from "../../../lib/errors.ts";

interface StatusRule {
  readonly toError: (message: string) => Error;
  /** The action that a person can take. */
  readonly advice?: string;
}

const terminal = (message: string): Error => new TerminalError(message);
const retryable = (message: string): Error => new RetryableError(message);

/** Meaning of each HTTP status. Any other status below 500 is terminal; any other one is retried. */
const STATUS_RULES: Readonly<Record<number, StatusRule>> = {
  401: { toError: terminal, advice: "configure a token that the broker accepts" },
  403: {
    toError: terminal,
    advice: "use the token of a role that has the permission",
  },
  404: { toError: (message) => new NotFoundError(message) },
  // The item exists already, or another client changed it at the same time.
  409: { toError: (message) => new ConflictError(message) },
  // A name is not allowed, or a policy contradicts another one.
  412: { toError: terminal },
  408: { toError: retryable },
  429: { toError: retryable },
};

/**
 * Matches the reasons of conflicts that Pulsar reports with another status: 500 if two clients write the same
 * metadata, 412 if two clients create the same subscription.
 */
const CONFLICT = /MetadataStoreException\$(BadVersion|AlreadyExists)Exception|Subscription Busy/;

/**
 * Returns the error for an HTTP status other than 2xx; `what` names the request, `reason` is the broker's.
 */
export function toAdminError(what: string, status: number, reason: string): Error {
  const rule = STATUS_RULES[CONFLICT.test(reason) ? 409 : status];
  const { toError, advice } = rule ?? { toError: status >= 500 ? retryable : terminal };
  const problem = [`${what}: ${status}`, reason].filter(Boolean).join(": ");
  return toError(advice === undefined ? problem : `${problem}; ${advice}`);
}

/**
 * Returns the reason in the body of a response, on one line. Pulsar sends it as JSON, with a stack trace if
 * it did not expect the failure. Its web server sends a page instead, which has no reason.
 */
export function toReason(body: string): string {
  const [reason = ""] = readReason(body).split("Stacktrace:");
  return reason
    .replace("--- An unexpected error occurred in the server ---", "")
    .replace(/\s+/g, " ")
    .trim()
    .slice(0, 500);
}

function readReason(body: string): string {
  try {
    const json: unknown = JSON.parse(body);
    const { reason } = (typeof json === "object" && json !== null ? json : {}) as { reason?: unknown };
    return typeof reason === "string" ? reason : "";
  } catch {
    return body.trimStart().startsWith("<") ? "" : body;
  }
}
