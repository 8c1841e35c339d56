import type { HandlerContext } from "@connectrpc/connect";
import type { Log } from "../lib/log.ts";
import { toConnectError } from "./error-mapping.ts";
import { type Identity, identityKey } from "./identity.ts";

/** Finds out who is calling. */
export interface Authenticator {
  /**
   * The identity that the request's headers prove.
   *
   * @throws ConnectError UNAUTHENTICATED when they prove none; RetryableError when it cannot be found out now.
   */
  authenticate(signal: AbortSignal, headers: Headers): Promise<Identity>;
}

/**
 * A gate for a Connect router that authenticates every call and leaves the identity in its context values.
 *
 * A gate and not an interceptor, because it runs before anything of the request's body is read: whoever is refused
 * has cost next to nothing. What it throws does not pass the interceptors, so it translates errors itself.
 */
export function createAuthenticationGate(authenticator: Authenticator, log: Log) {
  return async (context: HandlerContext): Promise<void> => {
    try {
      const identity = await authenticator.authenticate(context.signal, context.requestHeader);
      context.values.set(identityKey, identity);
    } catch (error) {
      throw toConnectError(error, context.signal, log);
    }
  };
}
