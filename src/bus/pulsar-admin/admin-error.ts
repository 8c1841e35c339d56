import { ConflictError, NotFoundError, RetryableError, TerminalError } from "../../lib/errors.ts";

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

/** Translates an HTTP status other than 2xx; `what` names the request, `reason` is what the broker says. */
export function toAdminError(what: string, status: number, reason: string): Error {
  const { toError, advice } = STATUS_RULES[status] ?? { toError: status >= 500 ? retryable : terminal };
  const text = [`${what}: ${status}`, reason, advice].filter(Boolean).join(": ");
  return toError(text);
}

/** The reason in an answer's body, which is JSON where Pulsar gives it and a page where its web server does. */
export function toReason(body: string): string {
  try {
    const json: unknown = JSON.parse(body);
    const { reason } = (typeof json === "object" && json !== null ? json : {}) as { reason?: unknown };
    return typeof reason === "string" ? reason : "";
  } catch {
    const text = body.trim();
    return text.startsWith("<") ? "" : text.slice(0, 500);
  }
}
