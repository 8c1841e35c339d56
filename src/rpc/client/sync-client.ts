import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import {
  type SyncRequest,
  type SyncResponse,
  SyncService,
} from "../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import { RetryInfoSchema } from "../../../gen/proto/google/rpc/error_details_pb.ts";
import { RetryableError, TerminalError } from "../../lib/errors.ts";
import type { TokenSource } from "../../lib/token-source.ts";
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

/** Codes that the same call will get again, until somebody changes something. */
const TERMINAL: ReadonlySet<Code> = new Set([
  Code.FailedPrecondition, // the cluster's name is bound to another uid
  Code.InvalidArgument, // what was sent breaks the contract
  Code.Unauthenticated, // who calls is not known
  Code.PermissionDenied, // who calls may not
  Code.Unimplemented, // the server does not know the call
]);

/** What a call's error means for its caller: `TerminalError`, or `RetryableError` with the server's delay, if it named one. */
function fromConnectError(cause: unknown): TerminalError | RetryableError {
  const error = ConnectError.from(cause);
  if (TERMINAL.has(error.code)) {
    return new TerminalError(error.rawMessage, { cause });
  }
  const [retry] = error.findDetails(RetryInfoSchema);
  const retryAfterMs = retry?.retryDelay && durationMs(retry.retryDelay);
  return new RetryableError(error.rawMessage, { cause, ...(retryAfterMs !== undefined && { retryAfterMs }) });
}
