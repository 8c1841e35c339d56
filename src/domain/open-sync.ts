import type { SyncRequest, SyncResponse } from "../../gen/proto/evenkeel/v1/sync_service_pb.ts";

/**
 * Opens `SyncService.Sync`. The stream ends when `signal` aborts, and when the requests have ended and the
 * backend has answered all; the requests end when the stream does.
 *
 * An adapter translates the transport's errors: `TerminalError` for a refusal that stays
 * (FAILED_PRECONDITION, INVALID_ARGUMENT, UNAUTHENTICATED, PERMISSION_DENIED, UNIMPLEMENTED), else
 * `RetryableError`, with RetryInfo's delay as `retryAfterMs`.
 */
export type OpenSync = (
  signal: AbortSignal,
  requests: AsyncIterable<SyncRequest>,
) => AsyncIterable<SyncResponse>;
