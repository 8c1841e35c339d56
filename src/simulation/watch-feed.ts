import { BoundedQueue, type QueueLimits } from "../lib/bounded-queue.ts";
import type { StoreEvent } from "./mvcc-store.ts";
import type { SimulatedObject } from "./simulated-object.ts";

/** What a watcher is sent: a write, or how far it has come without one. */
export type FeedItem =
  | { readonly type: "event"; readonly event: StoreEvent<SimulatedObject> }
  | { readonly type: "bookmark"; readonly revision: number };

/** One watcher's place in the feed; dispose it to leave. */
export interface FeedSubscription extends Disposable {
  readonly queue: BoundedQueue<FeedItem>;
  /** Aborts when the watcher is cut off: it was too slow, or connections were broken. */
  readonly cut: AbortSignal;
}

/** Hands writes to watchers as they happen. */
export interface WatchFeed {
  publish(event: StoreEvent<SimulatedObject>): void;
  /** Joins the writes of one kind from now on. */
  subscribe(prefix: string): FeedSubscription;
  /** Cuts off every watcher. */
  cutAll(reason: Error): void;
  /** Watchers that have joined and not left. */
  readonly watchers: number;
}

/** A watcher did not read what it was sent, as fast as it came. */
export class SlowWatcherError extends Error {
  override readonly name = "SlowWatcherError";
}

/**
 * Creates a feed. A watcher that falls behind by more than `limits` (in items; sizes are not measured) is cut off,
 * as the real server does: it never holds up the writers, and never silently misses an event.
 */
export function createWatchFeed(limits: Pick<QueueLimits, "maxItems"> = { maxItems: 1000 }): WatchFeed {
  const watchers = new Set<{
    readonly prefix: string;
    readonly queue: BoundedQueue<FeedItem>;
    readonly controller: AbortController;
  }>();
  return {
    publish(event) {
      for (const { prefix, queue, controller } of watchers) {
        if (prefix === event.prefix && !queue.offer({ type: "event", event })) {
          controller.abort(
            new SlowWatcherError(`watcher of ${prefix} is more than ${limits.maxItems} events behind`),
          );
        }
      }
    },
    subscribe(prefix) {
      const queue = new BoundedQueue<FeedItem>({ ...limits, maxBytes: Number.POSITIVE_INFINITY }, () => 0);
      const controller = new AbortController();
      const watcher = { prefix, queue, controller };
      watchers.add(watcher);
      return {
        queue,
        cut: controller.signal,
        [Symbol.dispose]: () => {
          watchers.delete(watcher);
        },
      };
    },
    cutAll(reason) {
      for (const { controller } of watchers) {
        controller.abort(reason);
      }
    },
    get watchers() {
      return watchers.size;
    },
  };
}
