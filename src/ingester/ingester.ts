import type { Bus } from "../bus/bus.ts";
import { INGESTER_SUBSCRIPTION, TOPICS } from "../event/topics.ts";
import { waitFor } from "../lib/abort.ts";
import type { Clock } from "../lib/clock.ts";
import { RetryableError } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { Metrics } from "../lib/metrics.ts";
import type { Random } from "../lib/random.ts";
import type { Tracer } from "../lib/tracer.ts";
import type { IngestStore } from "../store/ingest-store.ts";
import { createLanes, type HoldLimits, KeyedWindow } from "./keyed-window.ts";
import { createIngesterMetrics } from "./metrics.ts";
import { processDelivery, type SettleDependencies } from "./process-delivery.ts";
import { createProducers } from "./producer-pool.ts";

/** What an ingester is made of. */
export interface IngesterOptions {
  readonly bus: Bus;
  readonly store: IngestStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly tracer: Tracer;
  /** What may be held; default 256 deliveries, 32 of a cluster, and 64 MiB. */
  readonly holdLimits?: HoldLimits;
}

/** Writes to Postgres what agents say. */
export interface Ingester {
  /**
   * Runs until `signal` aborts; then it takes no more, but finishes what it holds, for at most 5 s and as long as that
   * waits for nothing. Rejects when it should be started again, as when the bus cuts it off.
   */
  run(signal: AbortSignal): Promise<void>;
}

const HOLD_LIMITS: HoldLimits = { maxItems: 256, maxItemsPerKey: 32, maxBytes: 64 * 1024 * 1024 };

/** How far a cluster that waits may fall behind in the ingester's window before others wait with it, in deliveries. */
const MAX_UNACKNOWLEDGED = 4096;

/** Deliveries that may be on their way from the bus; with {@link HOLD_LIMITS} it bounds what is in memory. */
const MAX_PREFETCHED = 16;

/** Time to finish what is held when the ingester is told to stop, in milliseconds. */
const FINISH_MS = 5_000;

/**
 * Applies deliveries of the events topic, cluster by cluster in their order, different clusters side by side.
 *
 * A delivery is acknowledged only after its transaction has committed, so a crash delivers it again. While the
 * database is gone its cluster waits; nothing is given back to the bus, which would break the order. What is held is
 * bounded ({@link KeyedWindow}).
 */
export function createIngester(options: IngesterOptions): Ingester {
  const { holdLimits = HOLD_LIMITS } = options;
  let hold = new KeyedWindow(holdLimits);
  const counted = createIngesterMetrics(options.metrics, () => hold);
  return {
    async run(signal) {
      hold = new KeyedWindow(holdLimits);
      try {
        await ingest(signal, { ...options, hold, counted });
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
  options: IngesterOptions & Pick<SettleDependencies, "hold" | "counted">,
): Promise<void> {
  const { bus, hold, clock } = options;
  const consumer = await bus.subscribe(signal, {
    topic: TOPICS.events,
    subscription: INGESTER_SUBSCRIPTION,
    maxUnacknowledged: MAX_UNACKNOWLEDGED,
    maxPrefetched: MAX_PREFETCHED,
  });
  const producers = createProducers(bus);
  const ended = new AbortController();
  const lanes = createLanes();
  const taking = AbortSignal.any([signal, ended.signal]);
  try {
    for await (const { payload, ...message } of consumer.deliveries(taking)) {
      const held = hold.add(message.key, payload);
      lanes.add(message.key, async () => {
        if (held.payload === undefined) {
          ended.abort(new RetryableError("a cluster goes on that was held up: its messages are read again"));
        } else {
          await processDelivery(
            ended.signal,
            { ...options, producers },
            { ...message, payload: held.payload },
          );
        }
        held.release();
      });
      while (hold.isFull) {
        await waitFor(taking, hold.changed());
      }
    }
  } finally {
    if (signal.aborted) {
      await finish(ended.signal, hold, clock);
    }
    ended.abort(new Error("the ingester has ended"));
    await lanes.idle();
    await producers.close();
    await consumer.close();
  }
}

/**
 * Waits until what is held was applied and acknowledged: what a consumer leaves behind is applied a second time, and
 * some brokers lose its order. Whatever waits for something is left to the next consumer.
 */
async function finish(signal: AbortSignal, hold: KeyedWindow, clock: Clock): Promise<void> {
  using deadline = clock.deadline(signal, FINISH_MS);
  while (hold.isMoving && !deadline.signal.aborted) {
    await waitFor(deadline.signal, hold.changed()).catch(() => {});
  }
}
