import { ConflictError, NotFoundError, RetryableError, TerminalError } from "../../../lib/errors.ts";

interface StatusRule {
  readonly toError: (message: string) => Error;
  /** For people: what to do about it. */
  readonly advice?: string;
}

const terminal = (message: string): Error => new TerminalError(message);
const retryable = (message: string): Error => new RetryableError(message);

/** What each HTTP status means; any other below 500 is refused, anything else may pass. */
const STATUS_RULES: Readonly<Record<number, StatusRule>> = {
  401: { toError: terminal, advice: "the broker does not know who asks: give a token that it takes" },
  403: { toError: terminal, advice: "the token's role may not do this: give the token of a role that may" },
  404: { toError: (message) => new NotFoundError(message) },
  // It is there already, or somebody else changed it at the same time.
  409: { toError: (message) => new ConflictError(message) },
  // A name that is not allowed, or a policy that contradicts another one.
  412: { toError: terminal },
  408: { toError: retryable },
  429: { toError: retryable },
};

/**
 * How Pulsar says, with statuses that mean something else, that somebody changed the same thing at the same time: 500 when
 * two write one piece of metadata, 412 when two make one subscription.
 */
const CONFLICT = /MetadataStoreException\$(BadVersion|AlreadyExists)Exception|Subscription Busy/;

/** Translates an HTTP status other than 2xx; `what` names the request, `reason` is what the broker says. */
export function toAdminError(what: string, status: number, reason: string): Error {
  const rule = STATUS_RULES[CONFLICT.test(reason) ? 409 : status];
  const { toError, advice } = rule ?? { toError: status >= 500 ? retryable : terminal };
  const text = [`${what}: ${status}`, reason, advice].filter(Boolean).join(": ");
  return toError(text);
}

/**
 * The reason in an answer's body, on one line: JSON where Pulsar gives it, with a stack trace where it did not expect the
 * failure; a page where its web server does, which says nothing.
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
