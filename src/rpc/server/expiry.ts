import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { sleepUnlessAborted } from "../../lib/abort.ts";
import type { Clock } from "../../lib/clock.ts";
import { TerminalError } from "../../lib/errors.ts";
import { identityKey } from "../auth/authenticator.ts";

/** Longest time between two checks of the wall clock, in milliseconds. The clock can be set. */
const CHECK_INTERVAL_MS = 60_000;

/**
 * Creates an interceptor that ends streams when the caller's identity expires: the signal of the call aborts with
 * UNAUTHENTICATED. Without it, a token would count as long as its stream. An agent reconnects with a new token and
 * sends unacknowledged messages again.
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

/** Aborts the controller at the time, unless `signal` aborts before. The signal of a call aborts at its end. */
async function abortAt(
  signal: AbortSignal,
  clock: Clock,
  time: Date,
  controller: AbortController,
): Promise<void> {
  while (!signal.aborted) {
    const leftMs = time.getTime() - clock.now().getTime();
    if (leftMs <= 0) {
      const message = "token: expired; call again with a new one";
      const cause = new TerminalError(message, { info: { reason: "TOKEN_EXPIRED" } });
      controller.abort(new ConnectError(message, Code.Unauthenticated, undefined, undefined, cause));
      return;
    }
    await sleepUnlessAborted(signal, clock, Math.min(leftMs, CHECK_INTERVAL_MS));
  }
}
