import { TerminalError } from "../../../lib/errors.ts";

/** A token proves nothing; the message begins with "the token", says why, and shows nothing that is secret of it. */
export class InvalidTokenError extends TerminalError {
  override readonly name = "InvalidTokenError";
}
