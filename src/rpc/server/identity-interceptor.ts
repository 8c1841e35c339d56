import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { sleepUnlessAborted } from "../../lib/abort.ts";
import type { Clock } from "../../lib/clock.ts";
import { TerminalError } from "../../lib/errors.ts";
import { type Identity, identityKey } from "../auth/authenticator.ts";

/** Time between two checks of an identity, in milliseconds. The wall clock can be set, and keys can be removed. */
const CHECK_INTERVAL_MS = 5_000;

/**
 * Creates an interceptor that ends streams when the caller's identity ends: the signal of the call aborts with
 * UNAUTHENTICATED at its expiry, and at most 5 seconds after it is revoked. Without it, a token would count as long as
 * its stream. An agent reconnects with a new token and sends unacknowledged messages again.
 */
export function createIdentityInterceptor(clock: Clock): Interceptor {
  return (next) => (request) => {
    const identity = request.contextValues.get(identityKey);
    if (!request.stream || (identity?.expiresAt === undefined && identity?.isRevoked === undefined)) {
      return next(request);
    }
    const ended = new AbortController();
    void abortAtEnd(request.signal, clock, identity, ended);
    return next({ ...request, signal: AbortSignal.any([request.signal, ended.signal]) });
  };
}

/** Aborts the controller when the identity ends, unless `signal`, that of the call, aborts before. */
async function abortAtEnd(
  signal: AbortSignal,
  clock: Clock,
  { expiresAt, isRevoked }: Identity,
  ended: AbortController,
): Promise<void> {
  while (!signal.aborted) {
    const leftMs = expiresAt === undefined ? CHECK_INTERVAL_MS : expiresAt.getTime() - clock.now().getTime();
    if (leftMs <= 0) {
      ended.abort(unauthenticated("expired", "TOKEN_EXPIRED"));
      return;
    }
    if (isRevoked?.() === true) {
      ended.abort(unauthenticated("revoked: its key was removed", "UNAUTHENTICATED"));
      return;
    }
    await sleepUnlessAborted(signal, clock, Math.min(leftMs, CHECK_INTERVAL_MS));
  }
}

function unauthenticated(problem: string, reason: string): ConnectError {
  const message = `token: ${problem}; call again with a new one`;
  const cause = new TerminalError(message, { info: { reason } });
  return new ConnectError(message, Code.Unauthenticated, undefined, undefined, cause);
}
