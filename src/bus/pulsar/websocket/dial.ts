import { readFileSync } from "node:fs";
import { Agent, WebSocket } from "undici";
import { NEVER, waitFor, withinDeadline } from "../../../lib/abort.ts";
import type { Clock, DeadlineError } from "../../../lib/clock.ts";
import { RetryableError, toMessage } from "../../../lib/errors.ts";
import type { Connection } from "./connection.ts";
import { Handshake } from "./handshake.ts";
import { OpenConnection } from "./open-connection.ts";

export interface DialOptions {
  readonly clock: Clock;
  readonly readToken: (() => string) | undefined;
  /** PEM file of the authorities to trust; unset: those that Node trusts. */
  readonly trustCertsFile: string | undefined;
}

/** Time limit of a TCP connection, in milliseconds. */
const CONNECT_TIMEOUT_MS = 10_000;

/** Time limit to open and close a connection that its caller has given up, in milliseconds. */
const LEAVE_TIMEOUT_MS = 5_000;

/** Time limit of the handshake, in milliseconds. For a topic above its quota the broker needs 45 s. */
const HANDSHAKE_TIMEOUT_MS = 60_000;

/**
 * Opens a WebSocket; `what` names it in errors. The broker creates the producer or consumer before it accepts
 * the WebSocket, so that both are open when this returns.
 *
 * @throws TerminalError if a retry cannot succeed.
 * @throws RetryableError for any other failure.
 */
export async function dial(
  signal: AbortSignal,
  what: string,
  url: URL,
  options: DialOptions,
): Promise<Connection> {
  signal.throwIfAborted();
  const { clock, readToken } = options;
  const token = readToken?.();
  const handshake = new Handshake();
  const agent = createDispatcher(options);
  const webSocket = new WebSocket(url, {
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    dispatcher: agent.compose(handshake.intercept),
  });
  webSocket.addEventListener("close", () => void agent.destroy(), { once: true });
  const opened = Promise.withResolvers<void>();
  webSocket.addEventListener("open", () => opened.resolve(), { once: true });
  webSocket.addEventListener("error", () => opened.reject(handshake.toError(what)), { once: true });
  const onTimeout = (cause: DeadlineError): never => {
    throw new RetryableError(`${what}: no response within ${HANDSHAKE_TIMEOUT_MS} ms`, { cause });
  };
  try {
    await withinDeadline(signal, clock, HANDSHAKE_TIMEOUT_MS, (s) => waitFor(s, opened.promise), onTimeout);
  } catch (error) {
    if (signal.aborted) {
      await leave(webSocket, opened.promise, clock);
    }
    await agent.destroy();
    signal.throwIfAborted();
    throw error;
  }
  if (handshake.socket === undefined) {
    throw new RetryableError(`${what}: the WebSocket is open, but its TCP socket is unknown`);
  }
  return new OpenConnection(what, clock, webSocket, handshake.socket);
}

/**
 * Waits until a connection that its caller has given up is open, and closes it. If the handshake were
 * interrupted, the broker would keep the consumer that it created for it, with messages that are never
 * acknowledged.
 */
async function leave(webSocket: WebSocket, opened: Promise<void>, clock: Clock): Promise<void> {
  using deadline = clock.deadline(NEVER, LEAVE_TIMEOUT_MS);
  const closed = Promise.withResolvers<void>();
  webSocket.addEventListener("close", () => closed.resolve(), { once: true });
  try {
    await waitFor(deadline.signal, opened);
    webSocket.close(1000);
    await waitFor(deadline.signal, closed.promise);
  } catch {
    // The broker refused the connection, or does not answer in time. Then nothing remains to close.
  }
}

/** Creates a dispatcher that opens connections with the configured trust. */
export function createDispatcher({ trustCertsFile }: DialOptions): Agent {
  const ca = trustCertsFile === undefined ? {} : { ca: readCertificates(trustCertsFile) };
  return new Agent({ connect: { timeout: CONNECT_TIMEOUT_MS, ...ca } });
}

function readCertificates(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new RetryableError(`the file of trusted certificates ${path} cannot be read: ${toMessage(cause)}`, {
      cause,
    });
  }
}
