import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import {
  type SyncRequest,
  type SyncResponse,
  SyncService,
} from "../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import { BadRequestSchema, RetryInfoSchema } from "../../../gen/proto/google/rpc/error_details_pb.ts";
import { InvalidArgumentError, RetryableError, TerminalError } from "../../lib/errors.ts";
import type { TokenSource } from "../../lib/token-source.ts";

/** Creates an interceptor that sends the current token with every call, as `authorization: Bearer TOKEN` (RFC 6750). */
export function createTokenInterceptor(source: TokenSource): Interceptor {
  return (next) => async (request) => {
    request.header.set("authorization", `Bearer ${source.read()}`);
    return await next(request);
  };
}

/** Client of `SyncService.Sync` of one server. */
export type SyncClient = (
  signal: AbortSignal,
  requests: AsyncIterable<SyncRequest>,
) => AsyncIterable<SyncResponse>;

/** Longest wait for the answer to a ping. Then the connection is closed. */
const PING_TIMEOUT_MS = 10_000;

/**
 * Creates a client for agents, over gRPC and HTTP/2. It pings while a stream is open, so that a silently broken
 * connection ends the session within half a minute. Errors are `TerminalError` or `RetryableError`. The refusal of a
 * token that can be renewed is a `RetryableError` too.
 *
 * @param token sent with every call; undefined for servers without authentication
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
  return createSyncClientOn(transport, token);
}

/** Creates the client of {@link createSyncClient} on another transport. */
export function createSyncClientOn(transport: Transport, token: TokenSource | undefined): SyncClient {
  const client = createClient(SyncService, transport);
  return async function* openSync(signal, requests) {
    // Leaving the loop does not cancel the call, so the signal must.
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

/** Codes of permanent refusals: the same call gets them again until its cause is removed. */
const TERMINAL: ReadonlySet<Code> = new Set([
  Code.FailedPrecondition, // the cluster's name is bound to another uid
  Code.Unauthenticated, // the caller is unknown
  Code.PermissionDenied, // the caller is not allowed
  Code.Unimplemented, // the server does not know the method
]);

/**
 * Translates a call's error: to `InvalidArgumentError` with the fields that the server names, to another
 * `TerminalError`, or to `RetryableError` with the server's delay if it names one.
 */
function fromConnectError(cause: unknown): TerminalError | RetryableError {
  const error = ConnectError.from(cause);
  if (error.code === Code.InvalidArgument) {
    const violations = error.findDetails(BadRequestSchema).flatMap(({ fieldViolations }) => fieldViolations);
    const unnamed = { field: "", description: error.rawMessage };
    return new InvalidArgumentError(violations.length === 0 ? [unnamed] : violations, { cause });
  }
  if (TERMINAL.has(error.code)) {
    return new TerminalError(error.rawMessage, { cause });
  }
  const [retry] = error.findDetails(RetryInfoSchema);
  const retryAfterMs = retry?.retryDelay && durationMs(retry.retryDelay);
  return new RetryableError(error.rawMessage, { cause, ...(retryAfterMs !== undefined && { retryAfterMs }) });
}
