/** The reason of an error for programs that call the services: google.rpc.ErrorInfo without its domain. */
export interface ErrorInfo {
  /** A name of the contract's ErrorReason without its prefix, such as `RUN_ACTIVE`. */
  readonly reason: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** An error that every retry would meet again; the caller must change something. */
export class TerminalError extends Error {
  override readonly name: string = "TerminalError";
  readonly info: ErrorInfo | undefined;

  constructor(message?: string, options?: ErrorOptions & { readonly info?: ErrorInfo }) {
    super(message, options);
    this.info = options?.info;
  }
}

/** An error of an operation that may succeed on a retry. */
export class RetryableError extends Error {
  override readonly name: string = "RetryableError";
  /** Minimum delay before a retry, in milliseconds; unset: the caller's backoff decides. */
  readonly retryAfterMs: number | undefined;
  /** Message for callers of the services, if `message` has addresses or names that only operators may see. */
  readonly publicMessage: string | undefined;

  constructor(
    message: string,
    options?: ErrorOptions & { readonly retryAfterMs?: number; readonly publicMessage?: string },
  ) {
    super(message, options);
    this.retryAfterMs = options?.retryAfterMs;
    this.publicMessage = options?.publicMessage;
  }
}

/** Reports that a caller uses as much as it may at a time. The same request may succeed after `retryAfterMs`. */
export class LimitExceededError extends RetryableError {
  override readonly name = "LimitExceededError";
}

/** An error of the configuration. The message names the key, the expected and the found value. */
export class ConfigError extends TerminalError {
  override readonly name = "ConfigError";
}

/** Reports that the requested item does not exist, or not for this caller. */
export class NotFoundError extends TerminalError {
  override readonly name = "NotFoundError";
}

/** Reports a conflict with an active operation. The request may succeed after that has ended. */
export class ConflictError extends TerminalError {
  override readonly name = "ConflictError";
}

/** A field of a message that violates a rule. */
export interface FieldViolation {
  /** Path of the field with the names of the .proto, such as `batch.items[3].put_object.checksum`. */
  readonly field: string;
  /** The expectation, for people. */
  readonly description: string;
}

/** Reports a request that this version does not implement. */
export class UnsupportedError extends TerminalError {
  override readonly name = "UnsupportedError";
}

/** Reports a message that violates the rules of the contract. */
export class InvalidArgumentError extends TerminalError {
  override readonly name = "InvalidArgumentError";
  readonly violations: readonly FieldViolation[];

  constructor(violations: readonly FieldViolation[], options?: ErrorOptions & { readonly info?: ErrorInfo }) {
    super(violations.map(toSentence).join("; "), options);
    this.violations = violations;
  }
}

function toSentence({ field, description }: FieldViolation): string {
  return field === "" ? description : `${field}: ${description}`;
}

/** Returns an unknown error as an Error; any other value as the message of one. */
export function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** Returns the text of an unknown error for people. */
export function toMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
