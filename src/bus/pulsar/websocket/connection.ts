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
