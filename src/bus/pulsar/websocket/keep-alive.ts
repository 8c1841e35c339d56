import { sleepUnlessAborted } from "../../../lib/abort.ts";
import type { Clock } from "../../../lib/clock.ts";
import { toMessage } from "../../../lib/errors.ts";

/** What keeping a connection alive needs of it. */
export interface PingedLink {
  ping(): void;
  /** Bytes that the other side has sent so far, answers to pings included. */
  readonly bytesRead: number;
  drop(reason: string): void;
}

/**
 * Time between pings, in milliseconds. Far below the broker's idle limit (webSocketSessionIdleTimeoutMillis, 5 minutes,
 * which any frame puts off) and that of load balancers (often 60 s).
 */
export const PING_INTERVAL_MS = 20_000;

/**
 * Pings until `signal` aborts, and lets go of a connection on which nothing has come for a whole interval, not even
 * the answer to the ping: the other side has died without a word, or the way to it has.
 */
export async function keepAlive(signal: AbortSignal, clock: Clock, link: PingedLink): Promise<void> {
  while (!signal.aborted) {
    const { bytesRead } = link;
    try {
      link.ping();
    } catch (cause) {
      // Nothing awaits this loop: its rejection would end the process.
      link.drop(`a ping cannot be sent: ${toMessage(cause)}`);
      return;
    }
    await sleepUnlessAborted(signal, clock, PING_INTERVAL_MS);
    if (!signal.aborted && link.bytesRead === bytesRead) {
      link.drop(`a ping was not answered within ${PING_INTERVAL_MS} ms`);
    }
  }
}
