import { RetryableError } from "../../../lib/errors.ts";

/** An open WebSocket. */
export interface Connection {
  /**
   * Yields texts as they arrive, for one reader. Ends after {@link close}. Throws `ConnectionLostError` if
   * the connection ends for any other reason.
   */
  texts(): AsyncIterable<string>;
  /** Writes a text to the socket. Ignores the text if the connection has ended. */
  send(text: string): void;
  /** Closes the WebSocket, and resolves when its socket is destroyed. */
  close(): Promise<void>;
  /** Destroys the socket at once, for this reason. */
  drop(reason: string): void;
}

/** Reports that a connection could not be opened, or ended without a call of `close`. */
export class ConnectionLostError extends RetryableError {
  override readonly name = "ConnectionLostError";
  /** Code of the close frame (RFC 6455, section 7.4); 1006 if there was none. */
  readonly code: number;
  /** Reason of the close frame, or of this side's `drop`. */
  readonly reason: string;

  constructor(what: string, code: number, reason: string, options?: ErrorOptions) {
    super(`${what}: no connection (${code}${reason === "" ? "" : `, ${reason}`})`, options);
    this.code = code;
    this.reason = reason;
  }
}
