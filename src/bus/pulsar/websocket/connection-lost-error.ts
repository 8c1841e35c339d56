import { RetryableError } from "../../../lib/errors.ts";

/** A connection could not be made, or has ended without being asked to. */
export class ConnectionLostError extends RetryableError {
  override readonly name = "ConnectionLostError";
  /** Code of the close frame (RFC 6455, section 7.4); 1006 when there was none. */
  readonly code: number;
  /** What the close frame said, or this side when it let go. */
  readonly reason: string;

  constructor(what: string, code: number, reason: string, options?: ErrorOptions) {
    super(`${what}: no connection (${code}${reason === "" ? "" : `, ${reason}`})`, options);
    this.code = code;
    this.reason = reason;
  }
}
