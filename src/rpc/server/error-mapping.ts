import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import type { ErrorReason } from "../../../gen/proto/evenkeel/v1/failure_pb.ts";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../../../gen/proto/google/rpc/error_details_pb.ts";
import { Health } from "../../../gen/proto/grpc/health/v1/health_pb.ts";
import { isAbortError } from "../../lib/abort.ts";
import { DeadlineError } from "../../lib/clock.ts";
import {
  ConflictError,
  type ErrorInfo,
  type FieldViolation,
  InvalidArgumentError,
  LimitExceededError,
  NotFoundError,
  RetryableError,
  TerminalError,
  UnsupportedError,
} from "../../lib/errors.ts";
import { createOutageLog, type Log } from "../../lib/log.ts";
import { truncate } from "../../lib/text.ts";

/** Longest message of an error, in bytes. A status is sent in headers, and clients limit their size. */
const MAX_TEXT_BYTES = 4096;
/** Highest number of violations in an error. */
const MAX_VIOLATIONS = 20;
/** Longest field and longest description of a violation, and longest text of all violations, in bytes. */
const MAX_VIOLATION_BYTES = 512;
const MAX_VIOLATIONS_BYTES = 3584;

/**
 * Creates an interceptor that translates errors with {@link toConnectError}, before the response or during its stream.
 * It must be the first interceptor, so that it translates errors of the others too.
 */
export function createErrorMappingInterceptor(log: Log): Interceptor {
  const outage = createOutageLog(log, { failed: "calls fail", worked: "calls succeed again" });
  return (next) => async (request) => {
    const translate = (error: unknown): ConnectError => {
      if (error instanceof RetryableError && error.publicMessage !== undefined) {
        outage.failed(error);
      }
      return toConnectError(error, request.signal, log.with({ method: toMethodName(request.method) }));
    };
    try {
      const response = await next(request);
      if (request.service.typeName !== Health.typeName) {
        outage.worked();
      }
      return response.stream
        ? { ...response, message: translateErrors(response.message, translate) }
        : response;
    } catch (error) {
      throw translate(error);
    }
  };
}

/**
 * Translates any thrown value to the error that the caller receives.
 *
 * Errors of other origin become INTERNAL with a fixed message, because their own can contain data that the caller must
 * not see (SQL, addresses, another account's names). The original is logged. The size of the result is bounded, even if
 * an error repeats a part of the request: a larger status would not reach the client.
 *
 * @param signal signal of the call. If it has aborted, an abort error is replaced by its reason.
 */
export function toConnectError(error: unknown, signal: AbortSignal, log: Log): ConnectError {
  return withInfo(limitMessage(translateError(error, signal, log)), infoOf(error));
}

/** Domain of every google.rpc.ErrorInfo. */
const ERROR_DOMAIN = "evenkeel.dev";

/** Default reasons, for errors without a reason of their own. */
const REASON_BY_CODE: Readonly<Partial<Record<Code, keyof typeof ErrorReason>>> = {
  [Code.InvalidArgument]: "INVALID_FIELD",
  [Code.Unimplemented]: "UNSUPPORTED",
  [Code.Unauthenticated]: "UNAUTHENTICATED",
  [Code.PermissionDenied]: "PERMISSION_DENIED",
  [Code.NotFound]: "NOT_FOUND",
  [Code.ResourceExhausted]: "LIMIT_EXCEEDED",
  [Code.Unavailable]: "UNAVAILABLE",
  [Code.DeadlineExceeded]: "UNAVAILABLE",
  [Code.Internal]: "INTERNAL",
};

/** The reason that an error states, or the error that it was translated from. */
function infoOf(error: unknown): ErrorInfo | undefined {
  const origin = error instanceof ConnectError ? error.cause : error;
  return origin instanceof TerminalError ? origin.info : undefined;
}

/** Adds google.rpc.ErrorInfo, unless the error has one or its reason is unknown. */
function withInfo(error: ConnectError, info: ErrorInfo | undefined): ConnectError {
  const reason = info?.reason ?? REASON_BY_CODE[error.code];
  if (reason !== undefined && error.findDetails(ErrorInfoSchema).length === 0) {
    const value = { reason, domain: ERROR_DOMAIN, metadata: { ...info?.metadata } };
    error.details.push({ desc: ErrorInfoSchema, value });
  }
  return error;
}

function limitMessage(error: ConnectError): ConnectError {
  const { rawMessage, code, metadata, details, cause } = error;
  const message = truncate(rawMessage, MAX_TEXT_BYTES);
  if (message === rawMessage) {
    return error;
  }
  return Object.assign(new ConnectError(message, code, metadata, undefined, cause), { details });
}

function translateError(error: unknown, signal: AbortSignal, log: Log): ConnectError {
  const known = fromKnownError(error);
  if (known !== undefined) {
    return known;
  }
  if (signal.aborted && (error === signal.reason || isAbortError(error))) {
    return fromKnownError(signal.reason) ?? new ConnectError("call: cancelled", Code.Canceled);
  }
  if (isLostConnection(error)) {
    return new ConnectError("call: the connection was closed", Code.Canceled);
  }
  log.error("call failed", { error });
  return new ConnectError("internal error", Code.Internal, undefined, undefined, error);
}

/** Codes of Node for a client that has vanished: the server closes its connection after a lost ping. */
const LOST_CONNECTION: ReadonlySet<unknown> = new Set([
  "ERR_STREAM_PREMATURE_CLOSE", // its request had no end
  // A message was written before the handler noticed the end:
  "ERR_HTTP2_INVALID_STREAM",
  "ERR_HTTP2_INVALID_SESSION",
  "ERR_STREAM_DESTROYED",
  "ERR_STREAM_WRITE_AFTER_END",
]);

function isLostConnection(error: unknown): boolean {
  return error instanceof Error && "code" in error && LOST_CONNECTION.has(error.code);
}

function fromKnownError(error: unknown): ConnectError | undefined {
  if (error instanceof ConnectError) {
    return error;
  }
  // Subclasses of TerminalError come before it.
  if (error instanceof InvalidArgumentError) {
    const fieldViolations = limitViolations(error.violations);
    const hidden = error.violations.length - fieldViolations.length;
    const { message } = new InvalidArgumentError(fieldViolations);
    const text = hidden === 0 ? message : `${message}; and ${hidden} more`;
    const details = [{ desc: BadRequestSchema, value: { fieldViolations } }];
    return new ConnectError(text, Code.InvalidArgument, undefined, details, error);
  }
  if (error instanceof NotFoundError) {
    return new ConnectError(error.message, Code.NotFound, undefined, undefined, error);
  }
  // ABORTED: the client may retry at a higher level than one call.
  if (error instanceof ConflictError) {
    return new ConnectError(error.message, Code.Aborted, undefined, undefined, error);
  }
  if (error instanceof UnsupportedError) {
    return new ConnectError(error.message, Code.Unimplemented, undefined, undefined, error);
  }
  // FAILED_PRECONDITION: a retry fails until the state of the system has changed.
  if (error instanceof TerminalError) {
    return new ConnectError(error.message, Code.FailedPrecondition, undefined, undefined, error);
  }
  // RESOURCE_EXHAUSTED: gRPC clients do not retry it by default, so a limit does not multiply the calls.
  if (error instanceof LimitExceededError) {
    return new ConnectError(error.message, Code.ResourceExhausted, undefined, toRetryDetails(error), error);
  }
  // UNAVAILABLE is the only code that clients retry automatically.
  if (error instanceof RetryableError) {
    const text = error.publicMessage ?? error.message;
    return new ConnectError(text, Code.Unavailable, undefined, toRetryDetails(error), error);
  }
  if (error instanceof DeadlineError) {
    return new ConnectError(error.message, Code.DeadlineExceeded, undefined, undefined, error);
  }
  return undefined;
}

/** Returns the first violations, as many as fit into an error, at least one. */
function limitViolations(violations: readonly FieldViolation[]): FieldViolation[] {
  const limited: FieldViolation[] = [];
  let bytes = 0;
  for (const violation of violations.slice(0, MAX_VIOLATIONS)) {
    const field = truncate(violation.field, MAX_VIOLATION_BYTES);
    const description = truncate(violation.description, MAX_VIOLATION_BYTES);
    bytes += Buffer.byteLength(field) + Buffer.byteLength(description);
    if (bytes > MAX_VIOLATIONS_BYTES) {
      break;
    }
    limited.push({ field, description });
  }
  return limited;
}

function toRetryDetails({ retryAfterMs }: RetryableError) {
  if (retryAfterMs === undefined) {
    return [];
  }
  const seconds = Math.floor(retryAfterMs / 1000);
  const nanos = Math.round((retryAfterMs - seconds * 1000) * 1_000_000);
  return [{ desc: RetryInfoSchema, value: { retryDelay: { seconds: BigInt(seconds), nanos } } }];
}

function toMethodName(method: {
  readonly name: string;
  readonly parent: { readonly typeName: string };
}): string {
  return `${method.parent.typeName}/${method.name}`;
}

async function* translateErrors<T>(messages: AsyncIterable<T>, translate: (error: unknown) => ConnectError) {
  try {
    yield* messages;
  } catch (error) {
    throw translate(error);
  }
}
