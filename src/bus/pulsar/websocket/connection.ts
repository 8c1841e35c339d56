import { RetryableError } from "../../../lib/errors.ts";

/** An open WebSocket. */
export interface Connection {
  /**
   * Texts as they arrive, for one reader. Throws `ConnectionLostError` once the connection is gone for any reason but
   * {@link close}; then it just ends.
   */
  texts(): AsyncIterable<string>;
  /** Hands a text to the socket; nobody hears of it when the connection is gone. */
  send(text: string): void;
  /** Says goodbye, and resolves when the socket is gone. */
  close(): Promise<void>;
  /** Lets go of the socket at once, for this reason. */
  drop(reason: string): void;
}

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
