import type { Bus } from "../bus/bus.ts";
import type { BatchHandlers } from "../domain/batch-type.ts";
import { DEFAULT_SCRUB_ROWS } from "../domain/limits.ts";
import { expandedBytes } from "../event/expanded-bytes.ts";
import { INGESTER_SUBSCRIPTION, TOPICS } from "../event/topics.ts";
import { NEVER, withinDeadline } from "../lib/abort.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import type { Metrics, Tracer } from "../lib/telemetry.ts";
import type { IngestStore } from "../store/ingest-store.ts";
import { createApplyEvent, type IngestBatchHandler } from "./apply-event.ts";
import { DeadLetterBudget } from "./dead-letter-budget.ts";
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
  /** Bounds of the deliveries in memory; by default 512 and 64 MiB, of one cluster 64 and 8 MiB. */
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

const WINDOW_LIMITS: WindowLimits = {
  maxItems: 512,
  maxBytes: 64 * 1024 * 1024,
  maxItemsPerKey: 64,
  maxBytesPerKey: 8 * 1024 * 1024,
};

/**
 * Most unacknowledged deliveries, of which the window holds few. A blocked cluster may have this many before it delays
 * the others. By default a broker sends at most 50,000 to a consumer.
 */
const MAX_UNACKNOWLEDGED = 40_000;

/**
 * Limits with Pulsar, which may change the order of messages that a consumer gives back while another one joins. So the
 * window gives none back, and a blocked cluster delays the others when its deliveries fill the window.
 */
const PULSAR_WINDOW_LIMITS: WindowLimits = {
  maxItems: 4_096,
  maxBytes: 64 * 1024 * 1024,
  maxItemsPerKey: 4_096,
  maxBytesPerKey: 64 * 1024 * 1024,
};

/** Deliveries that the bus may send ahead; {@link WINDOW_LIMITS} and this bound the memory. */
const MAX_PREFETCHED = 16;

/** Time to process the deliveries in the window when the ingester stops, in milliseconds. */
const FINISH_MS = 5_000;

/**
 * Creates an ingester, which applies the deliveries of the events topic: in order within a cluster, different
 * clusters in parallel.
 *
 * A delivery is acknowledged only after its transaction has committed, so a crash results in a redelivery.
 * While the database is unreachable, the clusters wait. {@link KeyedWindow} bounds the memory, and leaves the
 * deliveries of a cluster that waits with the bus.
 */
export function createIngester(options: IngesterOptions): Ingester {
  const { bus, clock } = options;
  const canDefer = !bus.isRemote;
  const limits = options.windowLimits ?? (canDefer ? WINDOW_LIMITS : PULSAR_WINDOW_LIMITS);
  const deadLetters = new DeadLetterBudget(clock);
  const createWindow = (): KeyedWindow =>
    new KeyedWindow({ limits, canDefer, clock, bytesOf: expandedBytes });
  let window = createWindow();
  const counted = createIngesterMetrics(options.metrics, () => window);
  return {
    async run(signal) {
      window = createWindow();
      try {
        await ingest(signal, { ...options, window, counted, deadLetters });
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
  options: IngesterOptions & Pick<DeliveryOptions, "window" | "counted" | "deadLetters">,
): Promise<void> {
  const { bus, store, window, clock, log, batchHandlers, scrubRows = DEFAULT_SCRUB_ROWS } = options;
  const consumer = await bus.subscribe(signal, {
    topic: TOPICS.events,
    subscription: INGESTER_SUBSCRIPTION,
    maxUnacknowledged: bus.isRemote ? PULSAR_WINDOW_LIMITS.maxItems : MAX_UNACKNOWLEDGED,
    maxPrefetched: MAX_PREFETCHED,
  });
  const producers = createProducerPool(bus);
  const ended = new AbortController();
  const scrub = createScrub({ ...options, maxRows: scrubRows });
  const notices = createRefusalNotices({ producers, clock, log });
  const applyEvent = createApplyEvent({ store, producers, clock, scrub, notices }, batchHandlers);
  const taking = AbortSignal.any([signal, ended.signal]);
  const restart = (error: Error): void => {
    // After a stop, deferred messages are left to the next consumer.
    if (!taking.aborted) {
      ended.abort(error);
    }
  };
  const { maxMessageBytes } = bus;
  const processing = { ...options, producers, applyEvent, restart, maxMessageBytes };
  try {
    for await (const delivery of consumer.deliveries(taking)) {
      window.add(delivery, (item) => processDelivery(ended.signal, processing, item));
      await window.waitForRoom(taking);
    }
  } finally {
    window.leave();
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
