import { Code, ConnectError, type ContextValues, createContextKey } from "@connectrpc/connect";

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
