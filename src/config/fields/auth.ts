import * as z from "zod/mini";
import { ConfigError } from "../../lib/errors.ts";
import { optional, type ValuesOf, withDefault } from "../field.ts";
import { isLoopback, list, text, toggle, type ValueType } from "../value-types.ts";

/** How callers prove who they are. */
export type AuthConfig =
  | {
      readonly type: "tokens";
      /** Files of the keys that tokens may be signed by. */
      readonly publicKeyFiles: readonly string[];
      /** Whom tokens have to be for. */
      readonly audience: string;
    }
  /** They need not, because only this machine reaches the program. */
  | { readonly type: "none" };

/** Audience of tokens unless another is configured. */
export const DEFAULT_AUDIENCE = "evenkeel";

const files = list(z.string().check(z.minLength(1)), "path,...", "a list of files");

/** Keys of {@link AuthConfig}. */
export const authFields = {
  authPublicKeys: withDefault<readonly string[]>(
    files,
    [],
    "Files of the public keys that tokens are verified with, in PEM or as JWK sets",
  ),
  authAudience: withDefault<string>(text("name"), DEFAULT_AUDIENCE, "Whom tokens have to be for"),
  insecureNoAuth: withDefault<boolean>(toggle, false, "Take every caller, without a token; on loopback only"),
};

/**
 * How callers of a program that listens on `host` prove who they are.
 *
 * @throws ConfigError when nothing was chosen, or two things, or none where others reach the program: whoever did could
 * read every object and overwrite the copy of any cluster.
 */
export function toAuthConfig(
  host: string,
  { authPublicKeys, authAudience, insecureNoAuth }: ValuesOf<typeof authFields>,
): AuthConfig {
  if (authPublicKeys.length > 0 && insecureNoAuth) {
    throw invalid("insecureNoAuth: is set together with authPublicKeys: take one away");
  }
  if (authPublicKeys.length > 0) {
    return { type: "tokens", publicKeyFiles: authPublicKeys, audience: authAudience };
  }
  if (!insecureNoAuth) {
    throw invalid(
      'authPublicKeys: is not set: give the keys that tokens are verified with (--auth-public-keys; "evenkeel token keygen" makes them), or let every caller of this machine in (--insecure-no-auth)',
    );
  }
  if (!isLoopback(host)) {
    throw invalid(
      `host: expected a loopback address (127.0.0.1, ::1, localhost), because insecureNoAuth takes every caller, found ${JSON.stringify(host)}`,
    );
  }
  return { type: "none" };
}

function invalid(problem: string): ConfigError {
  return new ConfigError(`the configuration is not valid:\n  ${problem}`);
}

/** How a program proves to a server who it is: one of these, or neither where nobody asks. */
export interface TokenConfig {
  readonly token: string | undefined;
  /** Read at every connect, so that it can be renewed. */
  readonly tokenFile: string | undefined;
}

const token: ValueType<string> = {
  ...text("token", 'a token such as "evenkeel token create" prints'),
  schema: z.string().check(z.regex(/^[\w-]+\.[\w-]+\.[\w-]+$/)),
};

/** Keys of {@link TokenConfig}. */
export const tokenFields = {
  token: optional<string>(token, "Token for the server; others may see a flag, so better in a file", {
    secret: true,
  }),
  tokenFile: optional<string>(text("path", "a path"), "File with the token, read at every connect"),
};

/** Throws `ConfigError` when both are given, because only one could be meant. */
export function assertOneToken(config: TokenConfig): void {
  if (config.token !== undefined && config.tokenFile !== undefined) {
    throw new ConfigError(
      "the configuration is not valid:\n  token and tokenFile are both set: take one away",
    );
  }
}
