import type { HandlerContext } from "@connectrpc/connect";
import { Health } from "../../../gen/proto/grpc/health/v1/health_pb.ts";
import type { Log } from "../../lib/log.ts";
import { toConnectError } from "../server/error-mapping.ts";
import { type Identity, identityKey } from "./identity.ts";

/** Identifies callers. */
export interface Authenticator {
  /**
   * Returns the identity that the request's headers prove.
   *
   * @throws ConnectError (UNAUTHENTICATED) if they prove none
   * @throws RetryableError if the check is not possible now
   */
  authenticate(signal: AbortSignal, headers: Headers): Promise<Identity>;
}

/**
 * Creates a gate for a Connect router that authenticates every call and stores the identity in its context values.
 *
 * Only Health needs no authentication: probes and load balancers have no token, and its answers contain no data of any
 * account. Reflection needs it: callers without access to a service do not need its description, and its streams would
 * be open to everyone.
 *
 * A gate and not an interceptor, because a gate runs before the request's body is read, so a refusal costs little. Its
 * errors do not pass the interceptors, so it translates them itself.
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

/** Account of unauthenticated callers. */
export const ANONYMOUS_ACCOUNT = "default";

/** Creates an authenticator that identifies all callers as {@link ANONYMOUS_ACCOUNT}. Only for servers on loopback. */
export function createAnonymousAuthenticator(): Authenticator {
  return { authenticate: async () => ({ account: ANONYMOUS_ACCOUNT }) };
}
