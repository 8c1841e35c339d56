/** Reason of an error for programs that call the services: google.rpc.ErrorInfo without its domain. */
export interface ErrorInfo {
  /** A name of the contract's ErrorReason without its prefix, such as `RUN_ACTIVE`. */
  readonly reason: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** An error that every retry would meet again: the caller has to change something. */
export class TerminalError extends Error {
  override readonly name: string = "TerminalError";
  readonly info: ErrorInfo | undefined;

  constructor(message?: string, options?: ErrorOptions & { readonly info?: ErrorInfo }) {
    super(message, options);
    this.info = options?.info;
  }
}

/** May succeed when it is tried again. */
export class RetryableError extends Error {
  override readonly name: string = "RetryableError";
  /** How long to wait at least, in milliseconds; unset leaves it to the caller's backoff. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options?: ErrorOptions & { readonly retryAfterMs?: number }) {
    super(message, options);
    this.retryAfterMs = options?.retryAfterMs;
  }
}

/** The program was configured wrongly; the message names the key, what was expected and what was found. */
export class ConfigError extends TerminalError {
  override readonly name = "ConfigError";
}

/** The requested thing does not exist, or not for this caller. */
export class NotFoundError extends TerminalError {
  override readonly name = "NotFoundError";
}

/** The request excludes something that is active; it may succeed after that has ended. */
export class ConflictError extends TerminalError {
  override readonly name = "ConflictError";
}

/** One field of a message, and what is wrong with it. */
export interface FieldViolation {
  /** Path of the field with the names of the .proto, such as `batch.items[3].put_object.checksum`. */
  readonly field: string;
  /** For people: what was expected. */
  readonly description: string;
}

/** A request for something that this version does not implement yet. */
export class UnsupportedError extends TerminalError {
  override readonly name = "UnsupportedError";
}

/** A message violates the rules of the contract. */
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

/** Returns the text of an unknown error for people. */
export function toMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
