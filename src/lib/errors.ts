/** Will never succeed, however often it is tried: the caller has to change something. */
export class TerminalError extends Error {
  override readonly name: string = "TerminalError";
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

/** What was asked for does not exist, or not for this caller. */
export class NotFoundError extends TerminalError {
  override readonly name = "NotFoundError";
}

/** Something else is under way that excludes this; it can be asked again once that has ended. */
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

/** A message is not as it has to be. */
export class InvalidArgumentError extends TerminalError {
  override readonly name = "InvalidArgumentError";
  readonly violations: readonly FieldViolation[];

  constructor(violations: readonly FieldViolation[], options?: ErrorOptions) {
    super(violations.map(toSentence).join("; "), options);
    this.violations = violations;
  }
}

function toSentence({ field, description }: FieldViolation): string {
  return field === "" ? description : `${field}: ${description}`;
}

/** What a person should read of an unknown error. */
export function toMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
