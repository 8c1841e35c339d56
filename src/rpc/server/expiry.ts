import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { sleepUnlessAborted } from "../../lib/abort.ts";
import type { Clock } from "../../lib/clock.ts";
import { identityKey } from "../auth/identity.ts";

/** Longest wait between two looks at the wall clock, which may be set or jump, in milliseconds. */
const LOOK_INTERVAL_MS = 60_000;

/**
 * Ends streams whose caller's identity expires: the signal of a streaming call aborts with UNAUTHENTICATED then, so
 * that a token that was taken once is not good for ever. An agent comes back with a fresh one and sends again what was
 * not acknowledged.
 */
export function createExpiryInterceptor(clock: Clock): Interceptor {
  return (next) => (request) => {
    const expiresAt = request.contextValues.get(identityKey)?.expiresAt;
    if (!request.stream || expiresAt === undefined) {
      return next(request);
    }
    const expiry = new AbortController();
    void abortAt(request.signal, clock, expiresAt, expiry);
    return next({ ...request, signal: AbortSignal.any([request.signal, expiry.signal]) });
  };
}

/** Aborts at the time, unless `signal` does before: every call's own does at its end. */
async function abortAt(
  signal: AbortSignal,
  clock: Clock,
  time: Date,
  controller: AbortController,
): Promise<void> {
  while (!signal.aborted) {
    const leftMs = time.getTime() - clock.now().getTime();
    if (leftMs <= 0) {
      const message = "the caller's token has expired: call again with a fresh one";
      controller.abort(new ConnectError(message, Code.Unauthenticated));
      return;
    }
    await sleepUnlessAborted(signal, clock, Math.min(leftMs, LOOK_INTERVAL_MS));
  }
}
