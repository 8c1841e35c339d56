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

/** What a person should read of an unknown error. */
export function toMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
