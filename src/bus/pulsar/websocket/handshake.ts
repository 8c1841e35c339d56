import { Socket } from "node:net";
import type { Dispatcher } from "undici";
import { toMessage } from "../../../lib/errors.ts";
import { ConnectionLostError } from "./connection.ts";
import { toHandshakeError } from "./handshake-refusal.ts";

/**
 * Looks over the shoulder of one WebSocket's handshake for what its interface keeps to itself: the status of a refusal,
 * the error of a connection that was never made, and the socket, without which one that died in silence cannot be let
 * go of.
 */
export class Handshake {
  #status: number | undefined;
  #body = "";
  #error: Error | undefined;
  #socket: Socket | undefined;

  /** To be composed with the dispatcher that the WebSocket is made with. */
  readonly intercept: Dispatcher.DispatcherComposeInterceptor = (dispatch) => (options, handler) =>
    dispatch(withoutCompression(options), this.#observe(handler));

  /** Set once the handshake has succeeded. */
  get socket(): Socket | undefined {
    return this.#socket;
  }

  /** Why there is no WebSocket. */
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

/** What is large on this bus is compressed already: deflating its base64 again costs both sides time for nothing. */
function withoutCompression(options: Dispatcher.DispatchOptions): Dispatcher.DispatchOptions {
  const headers = Object.entries(options.headers ?? {}).filter(
    ([name]) => name.toLowerCase() !== "sec-websocket-extensions",
  );
  return { ...options, headers: Object.fromEntries(headers) };
}
