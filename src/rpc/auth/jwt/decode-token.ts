import { decodeJwt, decodeProtectedHeader } from "jose";
import { InvalidTokenError } from "./claims.ts";

/** What a token says, true or not. */
export interface DecodedToken {
  readonly header: Readonly<Record<string, unknown>>;
  readonly claims: Readonly<Record<string, unknown>>;
}

/** Reads a token and verifies nothing. Throws {@link InvalidTokenError} when it is none. */
export function decodeToken(token: string): DecodedToken {
  try {
    return { header: { ...decodeProtectedHeader(token) }, claims: decodeJwt(token) };
  } catch (cause) {
    throw new InvalidTokenError('the token is malformed: expected a JWT, three parts with "." between them', {
      cause,
    });
  }
}
