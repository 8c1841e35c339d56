import { once } from "node:events";
import { createServer as createHttp1Server, type ServerResponse } from "node:http";
import { createServer as createHttp2Server, type ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import { type Clock, createSystemClock } from "../../lib/clock.ts";
import { closeIdle, pingUntilClosed } from "./keep-alive.ts";
import type { NodeHandler } from "./node-handler.ts";

/** The connections of a port. */
export interface HttpConnections {
  /** Accepts a new connection. Never throws. */
  accept(socket: Socket): void;
  /** Ends each connection after its current requests, and notifies its client (GOAWAY, close). */
  drain(): void;
  /** Closes all connections immediately. */
  destroy(): void;
}

/** Timeouts for clients, in milliseconds. */
export interface HttpTimeouts {
  /** For the 24 bytes that distinguish HTTP/2 from HTTP/1.1; default 10,000. */
  readonly sniffMs: number;
  /** For the headers of an HTTP/1.1 request; default 10,000. */
  readonly headersMs: number;
  /** For an HTTP/1.1 request with its body; default 15,000. */
  readonly requestMs: number;
  /** Between two checks for late HTTP/1.1 requests; default 2,000. */
  readonly checkMs: number;
  /** For the first request of an HTTP/2 connection; default 10,000. */
  readonly firstStreamMs: number;
  /** For an HTTP/2 connection without requests after its first; default 60,000. */
  readonly idleMs: number;
  /** Between two pings of an HTTP/2 connection, and for the answer to each; default 10,000. */
  readonly pingMs: number;
}

const defaultTimeouts: HttpTimeouts = {
  sniffMs: 10_000,
  headersMs: 10_000,
  requestMs: 15_000,
  checkMs: 2_000,
  firstStreamMs: 10_000,
  idleMs: 60_000,
  pingMs: 10_000,
};
/**
 * Concurrent calls on one HTTP/2 connection: the least that RFC 9113 (6.5.2) recommends. A client's other calls wait,
 * so a burst of thousands does not begin in one turn of the event loop. A proxy opens more connections.
 */
const MAX_CONCURRENT_STREAMS = 100;
/** Requests of one HTTP/1.1 connection. Each of many that are sent at once takes memory until its turn. */
const MAX_REQUESTS_PER_SOCKET = 1000;

/**
 * Serves HTTP/1.1 and HTTP/2 without TLS (prior knowledge) on the same connections.
 *
 * Node's HTTP/2 server refuses HTTP/1.1 without TLS to negotiate the protocol. Therefore each connection is passed to
 * one of two servers that never listen, by its first bytes.
 */
export function createHttpConnections(
  clock: Clock,
  handler: NodeHandler,
  timeouts: HttpTimeouts = defaultTimeouts,
): HttpConnections {
  const sockets = new Set<Socket>();
  const sessions = new Set<ServerHttp2Session>();
  const draining = new AbortController();
  const http1Responses = new Set<ServerResponse>();
  const http1Options = {
    headersTimeout: timeouts.headersMs,
    requestTimeout: timeouts.requestMs,
    connectionsCheckingInterval: timeouts.checkMs,
  };
  const http1 = createHttp1Server(http1Options, (request, response) => {
    http1Responses.add(response);
    response.once("close", () => {
      http1Responses.delete(response);
      if (draining.signal.aborted) {
        request.socket.destroySoon();
      }
    });
    handler(request, response);
  });
  http1.maxRequestsPerSocket = MAX_REQUESTS_PER_SOCKET;
  // This event starts the timers of headersTimeout and requestTimeout. A server that never listens does not emit it.
  http1.emit("listening");
  const http2 = createHttp2Server({ settings: { maxConcurrentStreams: MAX_CONCURRENT_STREAMS } }, handler);
  http2.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
    // Network time is the machine's, also where the program runs on another clock.
    void pingUntilClosed(session, createSystemClock(), timeouts.pingMs);
    void closeIdle(session, createSystemClock(), timeouts);
  });

  const handOver = async (socket: Socket): Promise<void> => {
    try {
      using deadline = clock.deadline(draining.signal, timeouts.sniffMs);
      const version = await sniffHttpVersion(deadline.signal, socket);
      (version === "2" ? http2 : http1).emit("connection", socket);
    } catch {
      socket.destroy();
    }
  };

  return {
    accept(socket) {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
      // The reader of the socket gets its errors. Without a listener here, an error would end the process.
      socket.on("error", () => {});
      void handOver(socket);
    },
    drain() {
      draining.abort();
      for (const session of sessions) {
        session.close();
      }
      for (const response of http1Responses) {
        // If the headers are not sent yet, they announce the close, so the client does not use the connection again.
        response.shouldKeepAlive = false;
      }
      http1.closeIdleConnections();
    },
    destroy() {
      // Stops the timers that "listening" started. The server was never open; the callback ignores that error.
      http1.close(() => {});
      for (const session of sessions) {
        session.destroy();
      }
      for (const socket of sockets) {
        socket.destroy();
      }
    },
  };
}

// First bytes of every HTTP/2 connection (RFC 9113, section 3.4). No HTTP/1 request can begin with them.
const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/**
 * Returns the HTTP version of a new connection. It reads the first bytes and leaves them in the socket. Anything but
 * the preface of HTTP/2 counts as HTTP/1.1, because that server also answers bytes that are not HTTP.
 *
 * @throws Error if `signal` aborts, or if the connection ends before the version is known
 */
async function sniffHttpVersion(signal: AbortSignal, socket: Socket): Promise<"1.1" | "2"> {
  const ended = new AbortController();
  const onEnd = (): void => ended.abort(new Error("connection: ended before its first request"));
  socket.once("end", onEnd).once("close", onEnd);
  const either = AbortSignal.any([signal, ended.signal]);
  let seen = Buffer.alloc(0);
  try {
    for (;;) {
      either.throwIfAborted();
      const chunk: Buffer | null = socket.read();
      if (chunk === null) {
        await once(socket, "readable", { signal: either });
        continue;
      }
      seen = Buffer.concat([seen, chunk]);
      const length = Math.min(seen.length, preface.length);
      const same = seen.compare(preface, 0, length, 0, length) === 0;
      if (!same || length === preface.length) {
        socket.unshift(seen);
        return same ? "2" : "1.1";
      }
    }
  } finally {
    socket.off("end", onEnd).off("close", onEnd);
  }
}
