import { sleepUnlessAborted } from "../../../lib/abort.ts";
import type { Clock } from "../../../lib/clock.ts";
import { toMessage } from "../../../lib/errors.ts";

/** A connection that {@link keepAlive} pings. */
export interface PingedLink {
  ping(): void;
  /** Bytes received so far, pongs included. */
  readonly bytesRead: number;
  drop(reason: string): void;
}

/**
 * Time between pings, in milliseconds. It is far below the idle timeouts of load balancers (often 60 s), and below half
 * of that of the broker, which any frame resets.
 */
export const PING_INTERVAL_MS = 20_000;

/**
 * Wanted idle timeout of the broker, in milliseconds: longer than two pings. Until it passes, the broker keeps the
 * consumer of a program that vanished without closing its connection, and the messages of its keys wait.
 */
export const SESSION_IDLE_MS = 45_000;

/**
 * Pings until `signal` aborts. Drops a connection that receives nothing for a whole interval, not even a
 * pong: the other side or the network has failed silently.
 */
export async function keepAlive(signal: AbortSignal, clock: Clock, link: PingedLink): Promise<void> {
  while (!signal.aborted) {
    const { bytesRead } = link;
    try {
      link.ping();
    } catch (cause) {
      // No function awaits this loop, so that its rejection would end the process.
      link.drop(`a ping cannot be sent: ${toMessage(cause)}`);
      return;
    }
    await sleepUnlessAborted(signal, clock, PING_INTERVAL_MS);
    if (!signal.aborted && link.bytesRead === bytesRead) {
      link.drop(`a ping was not answered within ${PING_INTERVAL_MS} ms`);
    }
  }
}
