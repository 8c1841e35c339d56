import { createClient, type Interceptor, type ServiceImpl, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { FleetService } from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { SyncService } from "../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import { createSystemClock } from "../../../src/lib/clock.ts";
import { MemoryBudget } from "../../../src/lib/memory-budget.ts";
import { createAnonymousAuthenticator } from "../../../src/rpc/auth/authenticator.ts";
import { createHealth } from "../../../src/rpc/server/health.ts";
import { type ServeOptions, serve } from "../../../src/rpc/server/serve.ts";
import { SYNC_LIMITS } from "../../../src/rpc/server/service-limits.ts";
import { createTestLog } from "../vitest/test-log.ts";

/** Implementations of the services of {@link serveForTest}. */
export interface Implementations {
  readonly fleet?: Partial<ServiceImpl<typeof FleetService>>;
  readonly sync?: Partial<ServiceImpl<typeof SyncService>>;
}

/** Serves the project's services, health and reflection on a free port. The caller closes it. */
export async function serveForTest(implementations: Implementations, options: Partial<ServeOptions> = {}) {
  const health = createHealth();
  const stop = new AbortController();
  const server = await serve(stop.signal, {
    host: "127.0.0.1",
    port: 0,
    authenticator: createAnonymousAuthenticator(),
    clock: createSystemClock(),
    log: createTestLog("server"),
    closeTimeoutMs: 2000,
    memory: new MemoryBudget(64 * 1024 * 1024),
    routes: (router) => {
      router.service(FleetService, implementations.fleet ?? {});
      router.service(SyncService, implementations.sync ?? {}, SYNC_LIMITS);
      health.register(router);
    },
    ...options,
  });
  return { ...server, health, stop, [Symbol.asyncDispose]: server.close };
}

/** Returns a transport for each protocol that the port serves. */
export function transportsTo(
  baseUrl: string,
  interceptors: Interceptor[] = [],
): Readonly<Record<string, Transport>> {
  const options = { baseUrl, interceptors };
  return {
    "Connect, JSON, HTTP/1.1": createConnectTransport({
      ...options,
      httpVersion: "1.1",
      useBinaryFormat: false,
    }),
    "Connect, binary, HTTP/1.1": createConnectTransport({ ...options, httpVersion: "1.1" }),
    "Connect, JSON, HTTP/2": createConnectTransport({ ...options, httpVersion: "2", useBinaryFormat: false }),
    "Connect, binary, HTTP/2": createConnectTransport({ ...options, httpVersion: "2" }),
    "gRPC, HTTP/2": createGrpcTransport(options),
    "gRPC-Web, HTTP/1.1": createGrpcWebTransport({ ...options, httpVersion: "1.1" }),
    "gRPC-Web, HTTP/2": createGrpcWebTransport({ ...options, httpVersion: "2" }),
  };
}

/** Creates a gRPC client of the port. */
export function grpcClient<T extends Parameters<typeof createClient>[0]>(service: T, baseUrl: string) {
  return createClient(service, createGrpcTransport({ baseUrl }));
}
