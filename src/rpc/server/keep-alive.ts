import type { ServerHttp2Session } from "node:http2";
import { NEVER, sleepUnlessAborted, waitFor } from "../../lib/abort.ts";
import type { Clock } from "../../lib/clock.ts";

/**
 * Pings the client of an HTTP/2 connection every `pingMs` until the connection closes, and closes it if an answer takes
 * longer than that. Otherwise the streams of a client that is frozen, or has vanished without a FIN, stay open until
 * TCP gives up, which takes a quarter of an hour.
 */
export async function pingUntilClosed(
  session: ServerHttp2Session,
  clock: Clock,
  pingMs: number,
): Promise<void> {
  const closed = new AbortController();
  session.once("close", () => closed.abort(new Error("the connection has closed")));
  while (!session.destroyed) {
    await sleepUnlessAborted(closed.signal, clock, pingMs);
    if (!session.destroyed && !(await isAnswered(session, clock, pingMs))) {
      session.destroy();
    }
  }
}

/**
 * Closes an HTTP/2 connection that has no first request within `firstStreamMs`, or that has had none for `idleMs`. The
 * client of the second kind gets GOAWAY, and connects again for its next request.
 */
export async function closeIdle(
  session: ServerHttp2Session,
  clock: Clock,
  { firstStreamMs, idleMs }: { readonly firstStreamMs: number; readonly idleMs: number },
): Promise<void> {
  const closed = new AbortController();
  session.once("close", () => closed.abort(new Error("the connection has closed")));
  let open = 0;
  let limitMs = firstStreamMs;
  let idleSince = clock.monotonic();
  session.on("stream", (stream) => {
    open++;
    limitMs = idleMs;
    stream.once("close", () => {
      open--;
      idleSince = clock.monotonic();
    });
  });
  while (!session.destroyed) {
    const leftMs = open > 0 ? limitMs : idleSince + limitMs - clock.monotonic();
    if (leftMs <= 0) {
      session.close();
      // A client that sent a part of a request does not answer GOAWAY.
      session.socket.destroySoon();
      return;
    }
    await sleepUnlessAborted(closed.signal, clock, leftMs);
  }
}

async function isAnswered(session: ServerHttp2Session, clock: Clock, pingMs: number): Promise<boolean> {
  const answered = Promise.withResolvers<void>();
  using deadline = clock.deadline(NEVER, pingMs);
  try {
    // The callback also gets the error of a connection that closes meanwhile.
    session.ping((error) => (error === null ? answered.resolve() : answered.reject(error)));
    await waitFor(deadline.signal, answered.promise);
    return true;
  } catch {
    return false;
  }
}
