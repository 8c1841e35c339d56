import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import {
  type SyncRequest,
  type SyncResponse,
  SyncService,
} from "../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import { RetryableError } from "../../lib/errors.ts";
import type { TokenSource } from "../../lib/token-source.ts";
import { fromConnectError } from "./from-connect-error.ts";
import { createTokenInterceptor } from "./token-interceptor.ts";

/** Opens `SyncService.Sync` of one server. */
export type SyncClient = (
  signal: AbortSignal,
  requests: AsyncIterable<SyncRequest>,
) => AsyncIterable<SyncResponse>;

/** The server answers a ping within this time, or the connection is taken to be dead. */
const PING_TIMEOUT_MS = 10_000;

/**
 * Makes a client for agents, over gRPC and HTTP/2. It pings while a stream is open, so that a connection that died
 * without a word ends the session within half a minute. Errors come out as `TerminalError` or `RetryableError`: the
 * latter also when a token is refused that may be another the next time.
 *
 * @param token sent with every call; undefined where nobody asks for one.
 */
export function createSyncClient(baseUrl: string, token: TokenSource | undefined): SyncClient {
  const transport = createGrpcTransport({
    baseUrl,
    readMaxBytes: 8 * 1024 * 1024,
    pingIntervalMs: 20_000,
    pingTimeoutMs: PING_TIMEOUT_MS,
    pingIdleConnection: true,
    interceptors: token === undefined ? [] : [createTokenInterceptor(token)],
  });
  const client = createClient(SyncService, transport);
  return async function* openSync(signal, requests) {
    // Leaving the loop does not cancel the call; the signal does.
    const call = new AbortController();
    try {
      yield* client.sync(requests, { signal: AbortSignal.any([signal, call.signal]) });
    } catch (error) {
      signal.throwIfAborted();
      throw token?.isRenewable && isUnauthenticated(error)
        ? new RetryableError(ConnectError.from(error).rawMessage, { cause: error })
        : fromConnectError(error);
    } finally {
      call.abort();
    }
  };
}

function isUnauthenticated(error: unknown): boolean {
  return ConnectError.from(error).code === Code.Unauthenticated;
}
