import { readFileSync } from "node:fs";
import { RetryableError, toMessage } from "./errors.ts";

/** The source of the token that a client sends. */
export interface TokenSource {
  /**
   * Returns the current token.
   *
   * @throws RetryableError if the file cannot be read or holds no token.
   */
  read(): string;
  /** True if another token may follow: the client then retries after a refusal. */
  readonly isRenewable: boolean;
}

/** RFC 6750, section 2.1: a JWT, or any other text that is allowed after "Bearer". */
const BEARER_TOKEN = /^[\w.~+/-]+=*$/;

/** The place of a token; without both members there is none, for a server without authentication. */
export interface TokenSourceOptions {
  readonly token?: string | undefined;
  /** File with the token. It is read for each use, because a renewal replaces the file. */
  readonly tokenFile?: string | undefined;
}

/** Creates the source of a token; undefined if none is configured. */
export function createTokenSource({ token, tokenFile }: TokenSourceOptions): TokenSource | undefined {
  if (tokenFile !== undefined) {
    return { read: () => readToken(tokenFile), isRenewable: true };
  }
  return token === undefined ? undefined : { read: () => token, isRenewable: false };
}

function readToken(path: string): string {
  const text = readText(path).trim();
  if (!BEARER_TOKEN.test(text)) {
    throw new RetryableError(
      `the token file ${path} holds no token; write one line that contains only the token`,
    );
  }
  return text;
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new RetryableError(`the token file ${path} cannot be read: ${toMessage(cause)}`, { cause });
  }
}
