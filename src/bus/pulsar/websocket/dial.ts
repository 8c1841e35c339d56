import { readFileSync } from "node:fs";
import { Agent, WebSocket } from "undici";
import { NEVER, waitFor, withinDeadline } from "../../../lib/abort.ts";
import type { Clock, DeadlineError } from "../../../lib/clock.ts";
import { RetryableError, toMessage } from "../../../lib/errors.ts";
import type { Connection } from "./connection.ts";
import { Handshake } from "./handshake.ts";
import { OpenConnection } from "./open-connection.ts";

/** How to connect to a broker. */
export interface DialOptions {
  readonly clock: Clock;
  readonly readToken: (() => string) | undefined;
  /** PEM of the authorities to trust; unset: those that Node does. */
  readonly trustCertsFile: string | undefined;
}

/** How long a TCP connection may take, in milliseconds. */
const CONNECT_TIMEOUT_MS = 10_000;

/** How long one that is given up may take to be opened and closed, in milliseconds. */
const LEAVE_TIMEOUT_MS = 5_000;

/** How long the handshake may take, in milliseconds. With a topic above its quota the broker thinks for 45 s. */
const HANDSHAKE_TIMEOUT_MS = 60_000;

/**
 * Opens a WebSocket; `what` names it in errors. When it is open, so is the producer or consumer behind it: the broker
 * makes that first. Throws `RetryableError`, or `TerminalError` when trying again cannot help.
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
    throw new RetryableError(`${what}: no answer within ${HANDSHAKE_TIMEOUT_MS} ms`, { cause });
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
    throw new RetryableError(`${what}: the WebSocket is open without a TCP socket below it`);
  }
  return new OpenConnection(what, clock, webSocket, handshake.socket);
}

/**
 * Says goodbye to a connection that nobody wants any more, once it is open. Cut off in the middle of the handshake, the
 * broker would keep the consumer that it has made for it, with messages that nobody ever acknowledges.
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
    // It was refused, or takes too long: there is nothing to say goodbye to, or nobody who listens.
  }
}

/** What makes connections, with the trust that was asked for. */
export function createDispatcher({ trustCertsFile }: DialOptions): Agent {
  const ca = trustCertsFile === undefined ? {} : { ca: readCertificates(trustCertsFile) };
  return new Agent({ connect: { timeout: CONNECT_TIMEOUT_MS, ...ca } });
}

function readCertificates(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new RetryableError(
      `the bus's file of certificates to trust, ${path}, cannot be read: ${toMessage(cause)}`,
      { cause },
    );
  }
}
