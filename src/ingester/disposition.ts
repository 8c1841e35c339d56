import { PublishRefusedError, PublishUnknownError } from "../bus/bus.ts";
import { RetryableError, TerminalError } from "../lib/errors.ts";
import { StatementError } from "../store/postgres/sql-error.ts";

/** Action for a delivery after an attempt to apply it has failed. */
export type Disposition =
  /**
   * Block the cluster and retry in place; a negative acknowledgement would break the order. `unknownCode` is
   * the class of the SQLSTATE, or the error's code, of an error without a known meaning.
   */
  | { readonly type: "retry"; readonly unknownCode?: string }
  /**
   * Publish a dead letter with the reason: the delivery can never be applied. The next run detects the gap in
   * the sequence.
   */
  | { readonly type: "deadLetter"; readonly reason: string };

/**
 * Returns the action for a failed attempt.
 *
 * Only a `TerminalError` results in a dead letter: the decoder throws it, and Postgres for data that it
 * cannot store. All other errors are retried, also unknown ones. A permanent fault that is retried delays one
 * cluster and loses nothing. Without this rule, an outage with an unknown error would turn the whole stream
 * into dead letters.
 */
export function toDisposition(error: unknown): Disposition {
  if (error instanceof TerminalError) {
    return { type: "deadLetter", reason: error.message };
  }
  const isKnown =
    error instanceof RetryableError ||
    error instanceof PublishRefusedError ||
    error instanceof PublishUnknownError;
  return isKnown ? { type: "retry" } : { type: "retry", unknownCode: codeOf(error) };
}

/** Returns a short name of the error's class from a small set; never its text. */
function codeOf(error: unknown): string {
  if (error instanceof StatementError) {
    return error.sqlState.slice(0, 2);
  }
  const code = (error as { readonly code?: unknown } | null | undefined)?.code;
  return typeof code === "string" ? code : "none";
}
