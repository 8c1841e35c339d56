import { readFileSync } from "node:fs";
import { RetryableError, toMessage } from "./errors.ts";

/** The token that calls go out with. */
export interface TokenSource {
  /** The token of now. Throws `RetryableError` when its file holds none. */
  read(): string;
  /** Whether another one may come: then being refused is no reason to give up. */
  readonly isRenewable: boolean;
}

/** RFC 6750, section 2.1: a JWT, or whatever else may stand behind "Bearer". */
const BEARER_TOKEN = /^[\w.~+/-]+=*$/;

/** Where a token is; none where nobody asks for one. */
export interface TokenSourceOptions {
  readonly token?: string | undefined;
  /** Read again each time, because whoever renews the token replaces the file. */
  readonly tokenFile?: string | undefined;
}

/** The source of a token, or undefined when there is none. */
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
      `the token file ${path} holds no token: expected one line with nothing but the token`,
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
