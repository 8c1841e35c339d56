import { PublishRefusedError, PublishUnknownError } from "../bus/bus.ts";
import { RetryableError, TerminalError } from "../lib/errors.ts";
import { StatementError } from "../store/postgres/sql-error.ts";

/** How to go on with a delivery after an attempt at applying it failed. */
export type Disposition =
  /**
   * Block the cluster and retry in place; a negative acknowledgement would break the order. `unknownCode` is the
   * class of the SQLSTATE, or the error's code, of an error without a known meaning.
   */
  | { readonly type: "retry"; readonly unknownCode?: string }
  /** It can never be applied: publish a dead letter with the reason. The next run finds the sequence's gap. */
  | { readonly type: "deadLetter"; readonly reason: string };

/**
 * Decides how to go on after a failed attempt.
 *
 * Only a `TerminalError` gives up a delivery: our own decoding throws it, and so does Postgres for data that
 * it cannot store. Every other error may pass, also one with a new name. A fault that does not pass holds up
 * one cluster and loses nothing; given up, an outage with an unknown name would make the whole stream dead
 * letters.
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

/** Returns a short name of the error's class, one of few; never its text. */
function codeOf(error: unknown): string {
  if (error instanceof StatementError) {
    return error.sqlState.slice(0, 2);
  }
  const code = (error as { readonly code?: unknown } | null | undefined)?.code;
  return typeof code === "string" ? code : "none";
}
