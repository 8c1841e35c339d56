import type { ServedResource } from "../served-resources.ts";

/** Details of a {@link StatusBody}. */
export interface StatusDetails {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
  readonly retryAfterSeconds?: number;
  readonly causes?: readonly { readonly reason: string; readonly message: string; readonly field?: string }[];
}

/** A `metav1.Status`, the body of every error. */
export interface StatusBody {
  readonly kind: "Status";
  readonly apiVersion: "v1";
  readonly metadata: { readonly continue?: string };
  readonly status: "Failure";
  readonly message: string;
  readonly reason: string;
  readonly details?: StatusDetails;
  readonly code: number;
}

export interface StatusOptions {
  readonly code: number;
  readonly reason: string;
  readonly message: string;
  readonly details?: StatusDetails;
  /** Token to continue with, in an inconsistent list. */
  readonly continueToken?: string;
}

/** Error that is sent as a `Status`. */
export class ApiStatusError extends Error {
  override readonly name = "ApiStatusError";
  readonly body: StatusBody;

  constructor({ code, reason, message, details, continueToken }: StatusOptions) {
    super(message);
    this.body = {
      kind: "Status",
      apiVersion: "v1",
      metadata: continueToken === undefined ? {} : { continue: continueToken },
      status: "Failure",
      message,
      reason,
      ...(details === undefined ? {} : { details }),
      code,
    };
  }
}

/** Returns 404 for an unknown resource. */
export function resourceNotFound(): ApiStatusError {
  return new ApiStatusError({
    code: 404,
    reason: "NotFound",
    message: "the server could not find the requested resource",
    details: {},
  });
}

/** Returns 404 for an unknown object. */
export function objectNotFound(resourceType: ServedResource, name: string): ApiStatusError {
  const resource =
    resourceType.group === "" ? resourceType.resource : `${resourceType.resource}.${resourceType.group}`;
  return new ApiStatusError({
    code: 404,
    reason: "NotFound",
    message: `${resource} ${JSON.stringify(name)} not found`,
    details: {
      name,
      ...(resourceType.group === "" ? {} : { group: resourceType.group }),
      kind: resourceType.resource,
    },
  });
}

/** Returns 400. */
export function badRequest(message: string): ApiStatusError {
  return new ApiStatusError({ code: 400, reason: "BadRequest", message });
}

/** Returns 405. */
export function methodNotAllowed(): ApiStatusError {
  return new ApiStatusError({
    code: 405,
    reason: "MethodNotAllowed",
    message: "the server does not allow this method on the requested resource",
    details: {},
  });
}

/** Returns 406. */
export function notAcceptable(message: string): ApiStatusError {
  return new ApiStatusError({ code: 406, reason: "NotAcceptable", message });
}

/** Returns 410 for a compacted revision. */
export function expired(message: string, continueToken?: string): ApiStatusError {
  return new ApiStatusError({
    code: 410,
    reason: "Expired",
    message,
    ...(continueToken === undefined ? {} : { continueToken }),
  });
}

/** One problem of the query options. */
export interface OptionCause {
  readonly field: string;
  readonly reason: "FieldValueForbidden" | "FieldValueNotSupported";
  readonly message: string;
}

/** Returns 422 for contradictory query options. */
export function invalidListOptions(causes: readonly OptionCause[]): ApiStatusError {
  const messages = causes.map((cause) => `${cause.field}: ${cause.message}`);
  const joined = messages.length === 1 ? messages.join("") : `[${messages.join(", ")}]`;
  return new ApiStatusError({
    code: 422,
    reason: "Invalid",
    message: `ListOptions.meta.k8s.io "" is invalid: ${joined}`,
    details: {
      group: "meta.k8s.io",
      kind: "ListOptions",
      causes: causes.map(({ reason, message, field }) => ({ reason, message, field })),
    },
  });
}

/** Returns 504 for a version in the future. The real server waits three seconds for it first. */
export function tooLargeResourceVersion(asked: bigint, current: number): ApiStatusError {
  return new ApiStatusError({
    code: 504,
    reason: "Timeout",
    message: `Timeout: Too large resource version: ${asked}, current: ${current}`,
    details: {
      retryAfterSeconds: 1,
      causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
    },
  });
}
