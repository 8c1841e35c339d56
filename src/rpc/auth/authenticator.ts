import {
  Code,
  ConnectError,
  type ContextValues,
  createContextKey,
  type HandlerContext,
} from "@connectrpc/connect";
import { Health } from "../../../gen/proto/grpc/health/v1/health_pb.ts";
import type { Log } from "../../lib/log.ts";
import { toConnectError } from "../server/error-mapping.ts";

/** Identity of a caller. */
export interface Identity {
  /** Account of all data that the caller can read or change. */
  readonly account: string;
  /** The only cluster for which the caller can open sessions; unset: any cluster of the account. */
  readonly cluster?: string;
  /** Name of the caller, for logs. */
  readonly subject?: string;
  /** Time after which the proof of the identity is not accepted; unset: no limit. */
  readonly expiresAt?: Date;
  /** True once the proof is revoked; unset: never. Cheap: it is called every few seconds for each stream. */
  readonly isRevoked?: () => boolean;
}

/** Context key of the caller's identity. The authentication gate sets it. */
export const identityKey = createContextKey<Identity | undefined>(undefined, { description: "identity" });

/**
 * Returns the caller's identity.
 *
 * @throws ConnectError (INTERNAL) if the call did not pass the gate: no answer is better than another account's
 */
export function identityOf(values: ContextValues): Identity {
  const identity = values.get(identityKey);
  if (identity === undefined) {
    throw new ConnectError("call: no identity; the authentication gate did not run", Code.Internal);
  }
  return identity;
}

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
