import type { Bus } from "../bus/bus.ts";
import type { BatchHandlers } from "../domain/batch-type.ts";
import { INGESTER_SUBSCRIPTION, TOPICS } from "../event/topics.ts";
import { NEVER, withinDeadline } from "../lib/abort.ts";
import type { Clock } from "../lib/clock.ts";
import { RetryableError } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { Metrics } from "../lib/metrics.ts";
import type { Random } from "../lib/random.ts";
import type { Tracer } from "../lib/tracer.ts";
import type { IngestStore } from "../store/ingest-store.ts";
import { createApplyEvent, type IngestBatchHandler } from "./apply-event.ts";
import { KeyedWindow, type WindowLimits } from "./keyed-window.ts";
import { createIngesterMetrics } from "./metrics.ts";
import { type DeliveryOptions, processDelivery } from "./process-delivery.ts";
import { createProducerPool } from "./producer-pool.ts";

/** How to create an ingester. */
export interface IngesterOptions {
  readonly bus: Bus;
  readonly store: IngestStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly tracer: Tracer;
  /** Deliveries in memory: by default 256, of which 32 of a cluster count, and 64 MiB. */
  readonly windowLimits?: WindowLimits;
  /** Handlers of further types of batches, by the number of the type. */
  readonly batchHandlers?: BatchHandlers<IngestBatchHandler>;
}

/** Writes to Postgres what agents say. */
export interface Ingester {
  /**
   * Runs until `signal` aborts; then it takes no more, but finishes what it holds, for at most 5 s and as long as that
   * waits for nothing. Rejects when it should be started again, as when the bus cuts it off.
   */
  run(signal: AbortSignal): Promise<void>;
}

const WINDOW_LIMITS: WindowLimits = { maxItems: 256, maxItemsPerKey: 32, maxBytes: 64 * 1024 * 1024 };

/** How far a cluster that waits may fall behind in the ingester's window before others wait with it, in deliveries. */
const MAX_UNACKNOWLEDGED = 4096;

/** Deliveries that may be on their way from the bus; with {@link WINDOW_LIMITS} it bounds what is in memory. */
const MAX_PREFETCHED = 16;

/** Time to process the deliveries in the window when the ingester stops, in milliseconds. */
const FINISH_MS = 5_000;

/**
 * Applies deliveries of the events topic, cluster by cluster in their order, different clusters side by side.
 *
 * A delivery is acknowledged only after its transaction has committed, so a crash delivers it again. While the
 * database is gone its cluster waits; nothing is given back to the bus, which would break the order. What is held is
 * bounded ({@link KeyedWindow}).
 */
export function createIngester(options: IngesterOptions): Ingester {
  const { windowLimits = WINDOW_LIMITS } = options;
  let window = new KeyedWindow(windowLimits);
  const counted = createIngesterMetrics(options.metrics, () => window);
  return {
    async run(signal) {
      window = new KeyedWindow(windowLimits);
      try {
        await ingest(signal, { ...options, window, counted });
      } catch (error) {
        if (!signal.aborted) {
          throw error;
        }
      }
    },
  };
}

async function ingest(
  signal: AbortSignal,
  options: IngesterOptions & Pick<DeliveryOptions, "window" | "counted">,
): Promise<void> {
  const { bus, store, window, clock, batchHandlers } = options;
  const consumer = await bus.subscribe(signal, {
    topic: TOPICS.events,
    subscription: INGESTER_SUBSCRIPTION,
    maxUnacknowledged: MAX_UNACKNOWLEDGED,
    maxPrefetched: MAX_PREFETCHED,
  });
  const producers = createProducerPool(bus);
  const ended = new AbortController();
  const applyEvent = createApplyEvent({ store, producers, clock }, batchHandlers);
  const taking = AbortSignal.any([signal, ended.signal]);
  try {
    for await (const { payload, ...message } of consumer.deliveries(taking)) {
      window.add(message.key, payload, async (kept) => {
        if (kept === undefined) {
          ended.abort(new RetryableError("a blocked cluster goes on: its messages are read again"));
        } else {
          const delivery = { ...message, payload: kept };
          await processDelivery(ended.signal, { ...options, producers, applyEvent }, delivery);
        }
      });
      await window.waitForRoom(taking);
    }
  } finally {
    if (signal.aborted) {
      await finish(ended.signal, window, clock);
    }
    ended.abort(new Error("the ingester has ended"));
    await window.waitUntilEmpty(NEVER);
    await producers.close();
    await consumer.close();
  }
}

/**
 * Waits until what is held was applied and acknowledged: what a consumer leaves behind is applied a second time, and
 * some brokers lose its order. Whatever waits for something is left to the next consumer.
 */
async function finish(signal: AbortSignal, window: KeyedWindow, clock: Clock): Promise<void> {
  const waitUntilIdle = (until: AbortSignal): Promise<void> => window.waitUntilIdle(until);
  await withinDeadline(signal, clock, FINISH_MS, waitUntilIdle, () => {}).catch(() => {});
}
