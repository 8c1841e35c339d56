import type { Bus, Delivery } from "../bus/bus.ts";
import { decodeEvent } from "../bus/codec.ts";
import { toDeadLetter } from "../bus/dead-letter.ts";
import { INGESTER_SUBSCRIPTION, TOPICS } from "../bus/topics.ts";
import type { Clock } from "../lib/clock.ts";
import { RetryableError, toMessage } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import type { IngestStore, QuarantinedItem } from "../store/ingest-store.ts";
import { applyEvent } from "./apply-event.ts";
import { createLanes } from "./lanes.ts";
import { createProducers, type Producers } from "./producers.ts";
import { retryInPlace } from "./retry-in-place.ts";

/** What an ingester is made of. */
export interface IngesterOptions {
  readonly bus: Bus;
  readonly store: IngestStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Most deliveries held and not yet acknowledged; default 256. */
  readonly maxUnacknowledged?: number;
}

/** Writes to Postgres what agents say. */
export interface Ingester {
  /** Runs until `signal` aborts; rejects when it should be started again, as when the bus cuts it off. */
  run(signal: AbortSignal): Promise<void>;
}

/**
 * Applies deliveries of the events topic, cluster by cluster in their order, different clusters side by side.
 *
 * A delivery is acknowledged only after its transaction has committed, so a crash delivers it again. While the
 * database is gone its cluster waits; nothing is given back to the bus, which would break the order.
 */
export function createIngester(options: IngesterOptions): Ingester {
  const { bus, maxUnacknowledged = 256 } = options;
  return {
    async run(signal) {
      const consumer = await bus.subscribe(signal, {
        topic: TOPICS.events,
        subscription: INGESTER_SUBSCRIPTION,
        maxUnacknowledged,
      });
      const producers = createProducers(bus);
      const ended = new AbortController();
      const lanes = createLanes();
      try {
        const working = AbortSignal.any([signal, ended.signal]);
        for await (const delivery of consumer.deliveries(signal)) {
          lanes.add(delivery.key, () => settle(working, options, producers, delivery));
        }
      } catch (error) {
        if (!signal.aborted) {
          throw error;
        }
      } finally {
        ended.abort();
        await lanes.idle();
        await producers.close();
        await consumer.close();
      }
    },
  };
}

/** Brings one delivery to its end: applied, or kept as a dead letter, and then acknowledged. */
async function settle(
  signal: AbortSignal,
  { store, clock, random, log }: IngesterOptions,
  producers: Producers,
  delivery: Delivery,
): Promise<void> {
  const retry = { clock, random, log: log.with({ key: delivery.key, position: delivery.position }) };
  const applied = await retryInPlace(signal, retry, () =>
    applyEvent(signal, { store, producers, clock }, decodeEvent(delivery.payload)),
  );
  if (applied.kind === "stopped") {
    return;
  }
  const reason = applied.kind === "failed" ? applied.reason : quarantineReason(applied.value);
  if (reason !== undefined) {
    const kept = await retryInPlace(signal, retry, () => keep(signal, producers, delivery, reason));
    if (kept.kind !== "done") {
      return;
    }
    retry.log.error("message kept as a dead letter", { reason });
  }
  await retryInPlace(signal, retry, () => delivery.acknowledge());
}

/** Keeps a dead letter. Whatever goes wrong passes once somebody mends it: given up here, the message would be lost. */
async function keep(
  signal: AbortSignal,
  producers: Producers,
  delivery: Delivery,
  reason: string,
): Promise<void> {
  try {
    const producer = await producers.get(signal, TOPICS.deadLetter);
    await producer.publish(signal, toDeadLetter(delivery, reason));
  } catch (cause) {
    throw new RetryableError(`the dead letter was not taken: ${toMessage(cause)}`, { cause });
  }
}

function quarantineReason(items: readonly QuarantinedItem[]): string | undefined {
  const refused = items.filter(({ announced }) => !announced);
  const [first] = refused;
  return (
    first &&
    `${refused.length} of its objects cannot be stored, first ${first.namespace}/${first.name}: ${first.reason}`
  );
}
