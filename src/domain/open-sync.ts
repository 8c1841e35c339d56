import type { SyncRequest, SyncResponse } from "../../gen/proto/evenkeel/v1/sync_service_pb.ts";

/**
 * Opens `SyncService.Sync`. The stream ends when `signal` aborts, or when the requests have ended and the backend
 * has answered all of them. The requests end with the stream.
 *
 * An adapter translates the transport's errors.
 *
 * @throws TerminalError for a permanent refusal: FAILED_PRECONDITION, INVALID_ARGUMENT, UNAUTHENTICATED,
 * PERMISSION_DENIED or UNIMPLEMENTED
 * @throws RetryableError for any other error, with RetryInfo's delay as `retryAfterMs`
 */
export type OpenSync = (
  signal: AbortSignal,
  requests: AsyncIterable<SyncRequest>,
) => AsyncIterable<SyncResponse>;
