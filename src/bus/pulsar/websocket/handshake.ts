import { Socket } from "node:net";
import type { Dispatcher } from "undici";
import { toMessage } from "../../../lib/errors.ts";
import { ConnectionLostError } from "./connection.ts";
import { toHandshakeError } from "./handshake-refusal.ts";

/**
 * Observes the handshake of one WebSocket for facts that its interface does not expose: the status of a
 * refusal, the error of a failed connection, and the socket. The socket is necessary to end a connection that
 * died silently.
 */
export class Handshake {
  #status: number | undefined;
  #body = "";
  #error: Error | undefined;
  #socket: Socket | undefined;

  /** Interceptor to compose with the dispatcher of the WebSocket. */
  readonly intercept: Dispatcher.DispatcherComposeInterceptor = (dispatch) => (options, handler) =>
    dispatch(withoutCompression(options), this.#observe(handler));

  /** The socket of the WebSocket; set when the handshake has succeeded. */
  get socket(): Socket | undefined {
    return this.#socket;
  }

  /** Returns the reason of a failed handshake as an error. */
  toError(what: string): Error {
    if (this.#status !== undefined) {
      return toHandshakeError(what, this.#status, this.#body);
    }
    const { code } = (this.#error ?? {}) as NodeJS.ErrnoException;
    const reason =
      this.#error === undefined ? "the handshake failed" : toMessage(this.#error) || String(code);
    return new ConnectionLostError(what, 1006, reason, { cause: this.#error });
  }

  #observe(handler: Dispatcher.DispatchHandler): Dispatcher.DispatchHandler {
    return {
      onRequestStart: (...args) => handler.onRequestStart?.(...args),
      onRequestSent: () => handler.onRequestSent?.(),
      onResponseStarted: () => handler.onResponseStarted?.(),
      onRequestUpgrade: (controller, status, headers, socket) => {
        this.#socket = socket instanceof Socket ? socket : undefined;
        handler.onRequestUpgrade?.(controller, status, headers, socket);
      },
      onResponseStart: (controller, status, ...rest) => {
        this.#status = status;
        handler.onResponseStart?.(controller, status, ...rest);
      },
      onResponseData: (controller, chunk) => {
        this.#body += chunk;
        handler.onResponseData?.(controller, chunk);
      },
      onResponseEnd: (...args) => handler.onResponseEnd?.(...args),
      onResponseError: (controller, error) => {
        this.#error = error;
        handler.onResponseError?.(controller, error);
      },
    };
  }
}

/**
 * Removes the compression header: large messages are compressed already, and another compression gains
 * nothing.
 */
function withoutCompression(options: Dispatcher.DispatchOptions): Dispatcher.DispatchOptions {
  const headers = Object.entries(options.headers ?? {}).filter(
    ([name]) => name.toLowerCase() !== "sec-websocket-extensions",
  );
  return { ...options, headers: Object.fromEntries(headers) };
}
