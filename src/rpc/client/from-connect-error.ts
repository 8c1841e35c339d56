import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { RetryInfoSchema } from "../../../gen/proto/google/rpc/error_details_pb.ts";
import { RetryableError, TerminalError } from "../../lib/errors.ts";

/** Codes that the same call will get again, until somebody changes something. */
const TERMINAL: ReadonlySet<Code> = new Set([
  Code.FailedPrecondition, // the cluster's name is bound to another uid
  Code.InvalidArgument, // what was sent breaks the contract
  Code.Unauthenticated, // who calls is not known
  Code.PermissionDenied, // who calls may not
  Code.Unimplemented, // the server does not know the call
]);

/** What a call's error means for its caller: `TerminalError`, or `RetryableError` with the server's delay, if it named one. */
export function fromConnectError(cause: unknown): TerminalError | RetryableError {
  const error = ConnectError.from(cause);
  if (TERMINAL.has(error.code)) {
    return new TerminalError(error.rawMessage, { cause });
  }
  const [retry] = error.findDetails(RetryInfoSchema);
  const retryAfterMs = retry?.retryDelay && durationMs(retry.retryDelay);
  return new RetryableError(error.rawMessage, { cause, ...(retryAfterMs !== undefined && { retryAfterMs }) });
}
