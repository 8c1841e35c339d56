import { PublishRefusedError, PublishUnknownError } from "../bus/bus.ts";
import { RetryableError, toMessage } from "../lib/errors.ts";

/** What is to be done with a delivery after an attempt at applying it failed. */
export type Disposition =
  /** Hold the cluster and try again in place; a negative acknowledgement would break the order. */
  | { readonly kind: "retry"; readonly afterMs: number | undefined }
  /** It can never be applied: keep it with the reason and go on. The gap in the sequence makes the next run look. */
  | { readonly kind: "deadLetter"; readonly reason: string }
  /** The ingester is stopping; the delivery stays unacknowledged. */
  | { readonly kind: "stop" };

/** Decides what a failed attempt means. Total: an error that nobody thought of must not stop a cluster for good. */
export function toDisposition(signal: AbortSignal, error: unknown): Disposition {
  if (signal.aborted) {
    return { kind: "stop" };
  }
  if (error instanceof RetryableError) {
    return { kind: "retry", afterMs: error.retryAfterMs };
  }
  if (error instanceof PublishRefusedError || error instanceof PublishUnknownError) {
    return { kind: "retry", afterMs: undefined };
  }
  return { kind: "deadLetter", reason: toMessage(error) };
}
