import type { HandlerContext } from "@connectrpc/connect";
import { Health } from "../../../gen/proto/grpc/health/v1/health_pb.ts";
import type { Log } from "../../lib/log.ts";
import { toConnectError } from "../server/error-mapping.ts";
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
 * Health alone is answered to anybody, because probes and load balancers have no token and it says nothing of any
 * account. Reflection is not: who may not call a service has no use for it, and its streams would be open to all.
 *
 * A gate and not an interceptor, because it runs before anything of the request's body is read: whoever is refused
 * has cost next to nothing. What it throws does not pass the interceptors, so it translates errors itself.
 */
export function createAuthenticationGate(authenticator: Authenticator, log: Log) {
  return async (context: HandlerContext): Promise<void> => {
    if (context.service.typeName === Health.typeName) {
      return;
    }
    try {
      const identity = await authenticator.authenticate(context.signal, context.requestHeader);
      context.values.set(identityKey, identity);
    } catch (error) {
      throw toConnectError(error, context.signal, log);
    }
  };
}

/** Account of callers that are not authenticated. */
export const ANONYMOUS_ACCOUNT = "default";

/** Takes every caller for {@link ANONYMOUS_ACCOUNT}. For a server that only this machine can reach. */
export function createAnonymousAuthenticator(): Authenticator {
  return { authenticate: async () => ({ account: ANONYMOUS_ACCOUNT }) };
}
