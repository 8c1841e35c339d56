import type { Bus } from "../bus/bus.ts";
import type { BatchHandlers } from "../domain/batch-type.ts";
import { DEFAULT_SCRUB_ROWS } from "../domain/limits.ts";
import { INGESTER_SUBSCRIPTION, TOPICS } from "../event/topics.ts";
import { NEVER, withinDeadline } from "../lib/abort.ts";
import type { Clock } from "../lib/clock.ts";
import { RetryableError } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import type { Metrics, Tracer } from "../lib/telemetry.ts";
import type { IngestStore } from "../store/ingest-store.ts";
import { createApplyEvent, type IngestBatchHandler } from "./apply-event.ts";
import { KeyedWindow, type WindowLimits } from "./keyed-window.ts";
import { createIngesterMetrics } from "./metrics.ts";
import { type DeliveryOptions, processDelivery } from "./process-delivery.ts";
import { createProducerPool } from "./producer-pool.ts";
import { createRefusalNotices } from "./refusal-notices.ts";
import { createScrub } from "./scrub.ts";

export interface IngesterOptions {
  readonly bus: Bus;
  readonly store: IngestStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly tracer: Tracer;
  /**
   * Bounds of the deliveries in memory; by default 256 deliveries, of which 32 of a cluster count, and 64
   * MiB.
   */
  readonly windowLimits?: WindowLimits;
  /** Rows of each resource type whose checksums each run recomputes; 0: none. Default 1,000. */
  readonly scrubRows?: number;
  /** Handlers of further types of batches, by the number of the type. */
  readonly batchHandlers?: BatchHandlers<IngestBatchHandler>;
}

/** Applies events from the bus to Postgres. */
export interface Ingester {
  /**
   * Runs until `signal` aborts. Then it accepts no more deliveries, and finishes those in the window for at
   * most 5 s, except those that wait for a retry. Rejects if it should be restarted, for example when the bus
   * closes the consumer.
   */
  run(signal: AbortSignal): Promise<void>;
}

const WINDOW_LIMITS: WindowLimits = { maxItems: 256, maxItemsPerKey: 32, maxBytes: 64 * 1024 * 1024 };

/** Most unacknowledged deliveries. A blocked cluster may have this many before it delays the others. */
const MAX_UNACKNOWLEDGED = 4096;

/** Deliveries that the bus may send ahead; {@link WINDOW_LIMITS} and this bound the memory. */
const MAX_PREFETCHED = 16;

/** Time to process the deliveries in the window when the ingester stops, in milliseconds. */
const FINISH_MS = 5_000;

/**
 * Creates an ingester, which applies the deliveries of the events topic: in order within a cluster, different
 * clusters in parallel.
 *
 * A delivery is acknowledged only after its transaction has committed, so a crash results in a redelivery.
 * While the database is unreachable, the clusters wait: a negative acknowledgement would break the order.
 * {@link KeyedWindow} bounds the memory.
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
  const { bus, store, window, clock, log, batchHandlers, scrubRows = DEFAULT_SCRUB_ROWS } = options;
  const consumer = await bus.subscribe(signal, {
    topic: TOPICS.events,
    subscription: INGESTER_SUBSCRIPTION,
    maxUnacknowledged: MAX_UNACKNOWLEDGED,
    maxPrefetched: MAX_PREFETCHED,
  });
  const producers = createProducerPool(bus);
  const ended = new AbortController();
  const scrub = createScrub({ ...options, maxRows: scrubRows });
  const notices = createRefusalNotices({ producers, clock, log });
  const applyEvent = createApplyEvent({ store, producers, clock, scrub, notices }, batchHandlers);
  const taking = AbortSignal.any([signal, ended.signal]);
  try {
    for await (const { payload, ...message } of consumer.deliveries(taking)) {
      window.add(message.key, payload, async (kept) => {
        if (kept === undefined) {
          ended.abort(
            new RetryableError("blocked cluster recovered; subscribing again for the evicted messages"),
          );
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
    ended.abort(new Error("the ingester has stopped"));
    await window.waitUntilEmpty(NEVER);
    await notices.settled();
    await producers.close();
    await consumer.close();
  }
}

/**
 * Waits until the deliveries in the window are applied and acknowledged: the next consumer would apply them a
 * second time, and some brokers lose their order. Deliveries of blocked clusters are left to the next
 * consumer.
 */
async function finish(signal: AbortSignal, window: KeyedWindow, clock: Clock): Promise<void> {
  const waitUntilIdle = (until: AbortSignal): Promise<void> => window.waitUntilIdle(until);
  await withinDeadline(signal, clock, FINISH_MS, waitUntilIdle, () => {}).catch(() => {});
}
