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
import type { MemoryBudget } from "../../lib/memory-budget.ts";
import { type Authenticator, createAuthenticationGate } from "../auth/authenticator.ts";
import { createCallLimitInterceptor } from "./call-limits.ts";
import { readConnectionLimit } from "./connection-limit.ts";
import { createErrorMappingInterceptor } from "./error-mapping.ts";
import { createHttpConnections } from "./http-connections.ts";
import { createIdentityInterceptor } from "./identity-interceptor.ts";
import { listen, toAuthority } from "./listen.ts";
import { createNodeHandler, type NodeHandlerOptions } from "./node-handler.ts";
import { registerReflection } from "./reflection.ts";
import { QUESTION_LIMITS } from "./service-limits.ts";
import { createValidationInterceptor } from "./validation.ts";

/** Silence after which TCP checks a connection, in milliseconds. The default of Linux is two hours. */
const KEEP_ALIVE_MS = 30_000;

export interface ServeOptions {
  /** Address to listen on, such as `127.0.0.1`. */
  readonly host: string;
  /** Port to listen on; 0: any free port. */
  readonly port: number;
  /** Registers the services, with their limits if a message can exceed 64 KiB. Reflection is added for all of them. */
  readonly routes: (router: ConnectRouter) => void;
  readonly authenticator: Authenticator;
  readonly clock: Clock;
  readonly log: Log;
  /** As in {@link NodeHandlerOptions}. */
  readonly isLocalOnly?: boolean;
  /** As in {@link NodeHandlerOptions}. */
  readonly memory: MemoryBudget;
  /** Time for which a close waits for calls before it cancels them, in milliseconds; default 5,000. */
  readonly closeTimeoutMs?: number;
}

/** A listening server. */
export interface RpcServer {
  /** URL for clients, such as `http://127.0.0.1:7070`. */
  readonly url: string;
  readonly port: number;
  /**
   * Stops accepting connections, waits for unary calls, ends streams with UNAVAILABLE, and resolves when the last
   * connection is closed, after `closeTimeoutMs` at the latest. Idempotent; never rejects.
   */
  close(): Promise<void>;
}

/**
 * Serves Connect, gRPC and gRPC-Web on one port, over HTTP/1.1 and over HTTP/2 without TLS.
 *
 * In all services except Health, calls are authenticated before their body is read. In all services, messages are
 * validated, errors of handlers are translated, and streams end when the caller's identity expires or is revoked. The
 * server closes when `signal` aborts; await {@link RpcServer.close} for its end.
 *
 * @throws ConfigError if the server cannot listen on the port
 */
export async function serve(signal: AbortSignal, options: ServeOptions): Promise<RpcServer> {
  const { host, clock, closeTimeoutMs = 5000 } = options;
  const closing = new AbortController();
  const connections = createHttpConnections(
    clock,
    createNodeHandler(createRpcRouter(closing.signal, options), options),
  );
  // No allowHalfOpen: a client that ends its side is gone. Otherwise a silent stream would never detect that.
  const tcp = { noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS };
  const server = createServer(tcp, (socket) => connections.accept(socket));
  server.maxConnections = readConnectionLimit();
  const port = await listen(signal, server, host, options.port);

  const closeOnce = async (): Promise<void> => {
    const closed = once(server, "close");
    server.close();
    closing.abort(new ConnectError("server: shutting down; reconnect", Code.Unavailable));
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

/**
 * Creates the router of a server. Connect's handlers, authentication, validation and error mapping do not depend on the
 * port, so a simulation calls them without one. Streams end with the reason of `closing` when it aborts.
 */
export function createRpcRouter(
  closing: AbortSignal,
  options: Pick<ServeOptions, "routes" | "authenticator" | "clock" | "log">,
): ConnectRouter {
  const { authenticator, clock, log } = options;
  const router = createConnectRouter({
    ...QUESTION_LIMITS,
    // Unknown fields are never read, and one of two bytes would take an object in memory.
    binaryOptions: { readUnknownFields: false },
    requestGate: createAuthenticationGate(authenticator, log),
    // The first interceptor is the outermost.
    interceptors: [
      createErrorMappingInterceptor(log),
      createCallLimitInterceptor(clock),
      createDrainInterceptor(closing),
      createIdentityInterceptor(clock),
      createValidationInterceptor(),
    ],
  });
  options.routes(router);
  registerReflection(router);
  return router;
}

/**
 * Creates an interceptor that ends streams when the server closes: the signal of a streaming call aborts with `closing`
 * too.
 *
 * Connect's own `shutdownSignal` would also abort unary calls. They are short and can finish.
 */
function createDrainInterceptor(closing: AbortSignal): Interceptor {
  return (next) => (request) =>
    request.stream ? next({ ...request, signal: AbortSignal.any([request.signal, closing]) }) : next(request);
}
