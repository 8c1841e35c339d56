import * as z from "zod/mini";
import { isLoopback } from "../../lib/loopback.ts";
import { optional, type ValuesOf, withDefault } from "../field.ts";
import { invalidConfig } from "../load.ts";
import { list, text, toggle, type ValueType } from "../value-types.ts";

/** How callers are authenticated. */
export type AuthConfig =
  | {
      readonly type: "tokens";
      /** Files of the public keys that verify tokens. */
      readonly publicKeyFiles: readonly string[];
      /** Expected `aud` claim of tokens. */
      readonly audience: string;
    }
  /** Not at all, because the program listens on a loopback address only. */
  | { readonly type: "none" };

/** Default audience of tokens. */
export const DEFAULT_AUDIENCE = "evenkeel";

const files = list(z.string().check(z.minLength(1)), "path,...", "a list of files");

/** Keys of {@link AuthConfig}. */
export const authFields = {
  authPublicKeys: withDefault<readonly string[]>(
    files,
    [],
    "Files of the public keys that verify tokens, in PEM or as JWK sets",
  ),
  authAudience: withDefault<string>(text("name"), DEFAULT_AUDIENCE, "Expected aud claim of tokens"),
  insecureNoAuth: withDefault<boolean>(toggle, false, "Disable authentication (loopback addresses only)"),
};

/**
 * Returns how to authenticate callers of a program that listens on `host`.
 *
 * @throws ConfigError if neither or both are set, or if authentication is disabled on an address that other
 * machines reach: every caller could read all objects and overwrite the copy of any cluster.
 */
export function toAuthConfig(
  host: string,
  { authPublicKeys, authAudience, insecureNoAuth }: ValuesOf<typeof authFields>,
): AuthConfig {
  if (authPublicKeys.length > 0 && insecureNoAuth) {
    throw invalidConfig("insecureNoAuth: set together with authPublicKeys; remove one of them");
  }
  if (authPublicKeys.length > 0) {
    return { type: "tokens", publicKeyFiles: authPublicKeys, audience: authAudience };
  }
  if (!insecureNoAuth) {
    throw invalidConfig(
      'authPublicKeys: required; create a key pair with "evenkeel token keygen" and set ' +
        "--auth-public-keys, or disable authentication with --insecure-no-auth (loopback addresses only)",
    );
  }
  if (!isLoopback(host)) {
    throw invalidConfig(
      "host: expected a loopback address (127.0.0.1, ::1, localhost) because insecureNoAuth is set, " +
        `found ${JSON.stringify(host)}`,
    );
  }
  return { type: "none" };
}

/** Token that a program sends to a server; neither is set if the server does not authenticate callers. */
export interface TokenConfig {
  readonly token: string | undefined;
  /** Read at every connection, so that it can be renewed. */
  readonly tokenFile: string | undefined;
}

const token: ValueType<string> = {
  ...text("token", 'a token as printed by "evenkeel token create"'),
  schema: z.string().check(z.regex(/^[\w-]+\.[\w-]+\.[\w-]+$/)),
};

/** Keys of {@link TokenConfig}. */
export const tokenFields = {
  token: optional<string>(token, "Bearer token (prefer --token-file: flags show in the process list)", {
    secret: true,
  }),
  tokenFile: optional<string>(text("path", "a path"), "File with the bearer token, read at every connection"),
};

/** @throws ConfigError if both are set. */
export function assertOneToken(config: TokenConfig): void {
  if (config.token !== undefined && config.tokenFile !== undefined) {
    throw invalidConfig("token: set together with tokenFile; remove one of them");
  }
}
