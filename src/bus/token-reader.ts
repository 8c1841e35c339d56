import { readFileSync } from "node:fs";
import { ConfigError, RetryableError, toMessage } from "../lib/errors.ts";

/** Gives the token of now. Throws `RetryableError` while there is none to be read. */
export type TokenReader = () => string;

/** Reads the token: as it was given, or from a file that is read again each time. Undefined where nobody gave one. */
export function createTokenReader(settings: {
  readonly token?: string | undefined;
  readonly tokenFile?: string | undefined;
}): TokenReader | undefined {
  const { token, tokenFile } = settings;
  if (token !== undefined && tokenFile !== undefined) {
    throw new ConfigError("the bus has a token and a token file: expected one of them");
  }
  if (tokenFile !== undefined) {
    return () => readToken(tokenFile);
  }
  return token === undefined ? undefined : () => token;
}

function readToken(path: string): string {
  let token: string;
  try {
    token = readFileSync(path, "utf8").trim();
  } catch (cause) {
    throw new RetryableError(`the bus's token file ${path} cannot be read: ${toMessage(cause)}`, { cause });
  }
  if (token === "") {
    throw new RetryableError(`the bus's token file ${path} is empty: expected a token`);
  }
  return token;
}
