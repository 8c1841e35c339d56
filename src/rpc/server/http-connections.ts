import { createServer as createHttp1Server, type ServerResponse } from "node:http";
import { createServer as createHttp2Server, type ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import type { Clock } from "../../lib/clock.ts";
import type { NodeHandler } from "./node-handler.ts";
import { sniffHttpVersion } from "./sniff-http-version.ts";

/** What handles the connections of a port. */
export interface HttpConnections {
  /** Takes over a new connection, whatever happens on it. */
  accept(socket: Socket): void;
  /** Lets every connection end after the requests that it carries now; their clients are told (GOAWAY, close). */
  drain(): void;
  /** Cuts every connection. */
  destroy(): void;
}

/** How long clients may take, in milliseconds. */
export interface HttpTimeouts {
  /** For the 24 bytes that tell HTTP/2 from HTTP/1.1; 10,000 unless set. */
  readonly sniffMs: number;
  /** For the headers of an HTTP/1.1 request; 60,000 unless set. */
  readonly headersMs: number;
  /** Between two looks for requests that are late; 30,000 unless set. */
  readonly checkMs: number;
}

const defaultTimeouts: HttpTimeouts = { sniffMs: 10_000, headersMs: 60_000, checkMs: 30_000 };
// Calls at a time on one HTTP/2 connection; Node's own default is 2^32 - 1.
const MAX_CONCURRENT_STREAMS = 1000;

/**
 * Serves HTTP/1.1 and HTTP/2 without TLS (prior knowledge) on the same connections.
 *
 * Node's HTTP/2 server refuses HTTP/1.1 when there is no TLS to negotiate with. So two servers that never listen are
 * handed the connections, each those whose first bytes it understands.
 */
export function createHttpConnections(
  clock: Clock,
  handler: NodeHandler,
  { sniffMs, headersMs, checkMs }: HttpTimeouts = defaultTimeouts,
): HttpConnections {
  const sockets = new Set<Socket>();
  const sessions = new Set<ServerHttp2Session>();
  const draining = new AbortController();
  const http1Responses = new Set<ServerResponse>();
  const timeouts = { headersTimeout: headersMs, connectionsCheckingInterval: checkMs };
  const http1 = createHttp1Server(timeouts, (request, response) => {
    http1Responses.add(response);
    response.once("close", () => {
      http1Responses.delete(response);
      if (draining.signal.aborted) {
        request.socket.destroySoon();
      }
    });
    handler(request, response);
  });
  // The timers of headersTimeout and requestTimeout start with this event, which a server that never listens has not.
  http1.emit("listening");
  const http2 = createHttp2Server({ settings: { maxConcurrentStreams: MAX_CONCURRENT_STREAMS } }, handler);
  http2.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  });

  const handOver = async (socket: Socket): Promise<void> => {
    try {
      using deadline = clock.deadline(draining.signal, sniffMs);
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
      // Whoever reads the socket sees its errors; without a listener of its own one would end the process.
      socket.on("error", () => {});
      void handOver(socket);
    },
    drain() {
      draining.abort();
      for (const session of sessions) {
        session.close();
      }
      for (const response of http1Responses) {
        // Tells the client, where the headers are not yet sent, so that it does not use the connection again.
        response.shouldKeepAlive = false;
      }
      http1.closeIdleConnections();
    },
    destroy() {
      // Ends the timers that "listening" started; it was never open, which is no error here.
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
