import { BoundedQueue, type QueueLimits } from "../lib/bounded-queue.ts";
import type { StoreEvent } from "./mvcc-store.ts";
import type { SimulatedObject } from "./simulated-object.ts";

/** Item for a watcher: a write, or its progress without one. */
export type FeedItem =
  | { readonly type: "event"; readonly event: StoreEvent<SimulatedObject> }
  | { readonly type: "bookmark"; readonly revision: number };

/** Subscription of one watcher. Disposal ends it. */
export interface FeedSubscription extends Disposable {
  readonly queue: BoundedQueue<FeedItem>;
  /** Aborts when the subscription is closed: the watcher was too slow, or connections were broken. */
  readonly cut: AbortSignal;
}

/** Feed that passes writes to watchers when they happen. */
export interface WatchFeed {
  publish(event: StoreEvent<SimulatedObject>): void;
  /** Subscribes to later writes of one prefix. */
  subscribe(prefix: string): FeedSubscription;
  /** Closes all subscriptions. */
  cutAll(reason: Error): void;
  /** Number of current watchers. */
  readonly watchers: number;
}

/** Error for a watcher that read more slowly than events arrived. */
export class SlowWatcherError extends Error {
  override readonly name = "SlowWatcherError";
}

/**
 * Creates a feed. It closes the subscription of a watcher that falls behind by more than `limits` (in items, not
 * bytes), like the real server. A watcher never delays the writers and never silently misses an event.
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
            new SlowWatcherError(`watcher of ${prefix}: more than ${limits.maxItems} events behind`),
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
