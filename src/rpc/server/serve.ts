import { once } from "node:events";
import { createServer } from "node:net";
import {
  Code,
  ConnectError,
  type ConnectRouter,
  createConnectRouter,
  type Interceptor,
} from "@connectrpc/connect";
import { NEVER } from "../../lib/abort.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { type Authenticator, createAuthenticationGate } from "../auth/authenticator.ts";
import { createErrorMappingInterceptor } from "./error-mapping.ts";
import { createExpiryInterceptor } from "./expiry.ts";
import { createHttpConnections } from "./http-connections.ts";
import { listen, toAuthority } from "./listen.ts";
import { createNodeHandler } from "./node-handler.ts";
import { registerReflection } from "./reflection.ts";
import { QUESTION_LIMITS } from "./service-limits.ts";
import { createValidationInterceptor } from "./validation.ts";

/** What to serve, and where. */
export interface ServeOptions {
  /** Address to listen on, such as `127.0.0.1`. */
  readonly host: string;
  /** Port to listen on; 0 takes a free one. */
  readonly port: number;
  /** Registers the services, with their limits if a message may be above 64 KiB; reflection is added for all of them. */
  readonly routes: (router: ConnectRouter) => void;
  readonly authenticator: Authenticator;
  readonly clock: Clock;
  readonly log: Log;
  /** How long a close waits for calls to end before it cuts them, in milliseconds; 5,000 unless set. */
  readonly closeTimeoutMs?: number;
}

/** A port that serves. */
export interface RpcServer {
  /** Where clients reach it, such as `http://127.0.0.1:7070`. */
  readonly url: string;
  readonly port: number;
  /**
   * Accepts nothing more, lets unary calls finish, ends streams with UNAVAILABLE, and resolves when the last
   * connection is gone: after `closeTimeoutMs` at the latest. May be called more than once; never rejects.
   */
  close(): Promise<void>;
}

/**
 * Serves Connect, gRPC and gRPC-Web on one port, over HTTP/1.1 and over HTTP/2 without TLS.
 *
 * Every call but those of Health is authenticated before its body is read, its messages are validated, what its
 * handler throws is translated, and a stream ends when the caller's identity expires, in all services alike. The server closes when `signal` aborts; await {@link RpcServer.close} for its end.
 *
 * @throws ConfigError when the port cannot be listened on.
 */
export async function serve(signal: AbortSignal, options: ServeOptions): Promise<RpcServer> {
  const { host, clock, log, closeTimeoutMs = 5000 } = options;
  const closing = new AbortController();
  const connections = createHttpConnections(
    clock,
    createNodeHandler(createRouter(closing.signal, options), log),
  );
  // No allowHalfOpen: a client that ends its side has gone, and a silent stream would never notice it otherwise.
  const server = createServer({ noDelay: true, keepAlive: true }, (socket) => connections.accept(socket));
  const port = await listen(signal, server, host, options.port);

  const closeOnce = async (): Promise<void> => {
    const closed = once(server, "close");
    server.close();
    closing.abort(new ConnectError("the server is shutting down", Code.Unavailable));
    connections.drain();
    using deadline = clock.deadline(NEVER, closeTimeoutMs);
    deadline.signal.addEventListener("abort", () => connections.destroy());
    await closed;
    connections.destroy();
  };
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    signal.removeEventListener("abort", close);
    closed ??= closeOnce();
    return closed;
  };
  signal.addEventListener("abort", close);
  return { url: `http://${toAuthority(host, port)}`, port, close };
}

function createRouter(closing: AbortSignal, options: ServeOptions): ConnectRouter {
  const { authenticator, clock, log } = options;
  const router = createConnectRouter({
    ...QUESTION_LIMITS,
    // An object in memory for each field of two bytes is out of proportion, and nothing reads it.
    binaryOptions: { readUnknownFields: false },
    requestGate: createAuthenticationGate(authenticator, log),
    // The first is the outermost.
    interceptors: [
      createErrorMappingInterceptor(log),
      createDrainInterceptor(closing),
      createExpiryInterceptor(clock),
      createValidationInterceptor(),
    ],
  });
  options.routes(router);
  registerReflection(router);
  return router;
}

/**
 * Ends streams when the server closes: the signal of a streaming call aborts with `closing` too.
 *
 * Connect's own `shutdownSignal` would abort unary calls as well, which are short and had better finish.
 */
function createDrainInterceptor(closing: AbortSignal): Interceptor {
  return (next) => (request) =>
    request.stream ? next({ ...request, signal: AbortSignal.any([request.signal, closing]) }) : next(request);
}
