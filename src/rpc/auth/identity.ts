import { Code, ConnectError, type ContextValues, createContextKey } from "@connectrpc/connect";

/** Who is calling. */
export interface Identity {
  /** Everything that the caller may see or change belongs to this account. */
  readonly account: string;
  /** The one cluster that the caller may speak for; unset is any of the account. */
  readonly cluster?: string;
  /** Who that is, for logs. */
  readonly subject?: string;
  /** From then on what proved the identity is taken no longer; unset is never. */
  readonly expiresAt?: Date;
}

/** Where the authentication gate leaves the caller's identity. */
export const identityKey = createContextKey<Identity | undefined>(undefined, { description: "identity" });

/**
 * The caller's identity.
 *
 * @throws ConnectError INTERNAL when the call did not come through the gate: better no answer than another's.
 */
export function identityOf(values: ContextValues): Identity {
  const identity = values.get(identityKey);
  if (identity === undefined) {
    throw new ConnectError("the call has no identity", Code.Internal);
  }
  return identity;
}
