import type { AuthConfig } from "../config/fields/auth.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { createAnonymousAuthenticator } from "../rpc/auth/anonymous-authenticator.ts";
import type { Authenticator } from "../rpc/auth/authenticator.ts";
import { createJwtAuthenticator } from "../rpc/auth/jwt-authenticator.ts";

/** The authenticator that was configured. Throws `ConfigError` when its keys cannot be read. */
export function createAuthenticator(
  auth: AuthConfig,
  dependencies: { readonly clock: Clock; readonly log: Log },
): Authenticator {
  switch (auth.kind) {
    case "tokens":
      return createJwtAuthenticator({ ...auth, ...dependencies });
    case "none":
      return createAnonymousAuthenticator();
    default:
      return auth satisfies never;
  }
}
