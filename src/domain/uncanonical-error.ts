import { TerminalError } from "../lib/errors.ts";

/**
 * The value has no canonical JSON form that every part of the system can hold. Says what is wrong with it.
 */
export class UncanonicalError extends TerminalError {
  override readonly name = "UncanonicalError";
}
