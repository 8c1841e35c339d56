import { waitFor } from "../../../lib/abort.ts";
import { RetryableError } from "../../../lib/errors.ts";
import type { Bus } from "../../bus.ts";
import { createBusMetrics } from "../../metrics.ts";
import type { BusOptions, BusSettings } from "../../settings.ts";
import { PartitionedProducer, type PartitionProducer } from "../partitioned-producer.ts";
import { NativeConsumer } from "./consumer.ts";
import { createClient } from "./create-client.ts";
import { toOpenError, toResult } from "./errors.ts";
import { MAX_MESSAGES_IN_FLIGHT, NativeProducer } from "./producer.ts";
import type { PulsarClientPackage } from "./pulsar-client.ts";

/**
 * Largest payload that is safe with the default settings of a broker. They allow 5 MiB with key and
 * properties, for which 32 KiB are reserved.
 */
const DEFAULT_MAX_MESSAGE_BYTES = 5 * 1024 * 1024 - 32 * 1024;

/** Time until the broker delivers a message again that was given back, in milliseconds; its shortest one. */
const REDELIVERY_DELAY_MS = 100;

/** Time in which a message without a receipt is sent again, in milliseconds. */
const SEND_TIMEOUT_MS = 20_000;

/** Results of a lookup that prove a response of the broker, although they are failures. */
const ANSWERS = new Set(["TopicNotFound", "AuthorizationError"]);

/**
 * Creates a bus over Pulsar's own client, which uses the binary protocol. Producers and consumers share
 * connections.
 *
 * `createProducer` and `subscribe` reject with `RetryableError` if the broker is unavailable for 30 s. An
 * open producer reconnects, a consumer does not.
 */
export function createPulsarNativeBus(
  settings: BusSettings,
  dependencies: BusOptions,
  pulsar: PulsarClientPackage,
): Bus {
  const { tenant, maxMessageBytes = DEFAULT_MAX_MESSAGE_BYTES } = settings;
  const { clock, log } = dependencies;
  const client = createClient(settings, dependencies, pulsar);
  const metrics = createBusMetrics(dependencies.metrics);
  const producers = new Set<PartitionProducer>();
  const consumers = new Set<NativeConsumer>();
  const closed = new AbortController();
  const toFullName = (topic: string): string => `persistent://${tenant}/${topic}`;
  const openProducer = async (signal: AbortSignal, topic: string): Promise<PartitionProducer> => {
    const opened = await open(signal, `producer of ${topic}`, () =>
      client.get().createProducer({
        topic: toFullName(topic),
        sendTimeoutMs: SEND_TIMEOUT_MS,
        maxPendingMessages: MAX_MESSAGES_IN_FLIGHT,
        blockIfQueueFull: false,
        batchingEnabled: false,
      }),
    );
    return new NativeProducer(opened, { topic, maxMessageBytes, metrics, clock });
  };
  /** Returns the number of partitions, 0 if the topic is not partitioned. */
  const countPartitions = async (signal: AbortSignal, topic: string): Promise<number> => {
    try {
      const names = await waitFor(signal, client.get().getPartitionsForTopic(toFullName(topic)));
      return names.includes(toFullName(topic)) ? 0 : names.length;
    } catch (error) {
      signal.throwIfAborted();
      throw toOpenError(`producer of ${topic}`, error);
    }
  };

  return {
    isRemote: true,
    maxMessageBytes,

    async createProducer(signal, topic) {
      const opening = AbortSignal.any([signal, closed.signal]);
      const partitions = await countPartitions(opening, topic);
      const producer =
        partitions === 0
          ? await openProducer(opening, topic)
          : new PartitionedProducer({
              ...{ topic, partitions },
              open: (partition) => openProducer(closed.signal, partition),
            });
      producers.add(producer);
      return {
        publish: (publishSignal, message) => producer.publish(publishSignal, message),
        async close() {
          producers.delete(producer);
          await producer.close();
        },
      };
    },

    async subscribe(signal, options) {
      const { topic, subscription, maxPrefetched, maxUnacknowledged } = options;
      const what = `consumer of ${subscription} on ${topic}`;
      const prefetched = Math.min(maxPrefetched, maxUnacknowledged);
      const opened = await open(AbortSignal.any([signal, closed.signal]), what, () =>
        client.get().subscribe({
          topic: toFullName(topic),
          subscription,
          subscriptionType: "KeyShared",
          receiverQueueSize: prefetched,
          receiverQueueSizeAcrossPartitions: prefetched,
          nAckRedeliverTimeoutMs: REDELIVERY_DELAY_MS,
        }),
      );
      const consumer = new NativeConsumer(opened, options, clock, () => {
        log.warn("consumer cut off", { topic, subscription });
        metrics.cutOff(topic);
      });
      consumers.add(consumer);
      return {
        deliveries: (readSignal) => consumer.deliveries(readSignal),
        async close() {
          consumers.delete(consumer);
          await consumer.close();
        },
      };
    },

    async check(signal) {
      closed.signal.throwIfAborted();
      for (const producer of producers) {
        producer.assertConnected();
      }
      try {
        await waitFor(signal, client.get().getPartitionsForTopic(toFullName(dependencies.probeTopic)));
      } catch (error) {
        signal.throwIfAborted();
        if (!ANSWERS.has(toResult(error))) {
          throw toOpenError("the broker", error);
        }
      }
    },

    async close() {
      if (closed.signal.aborted) {
        return;
      }
      closed.abort(new RetryableError("the bus is closed"));
      await Promise.all([...producers, ...consumers].map((member) => member.close()));
      await client.close();
    },
  };
}

/**
 * Opens a producer or consumer. Closes it if it opens after `signal` has aborted, because no caller would.
 */
async function open<T extends { close(): Promise<unknown> }>(
  signal: AbortSignal,
  what: string,
  start: () => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const opening = start();
  try {
    return await waitFor(signal, opening);
  } catch (error) {
    if (signal.aborted) {
      opening.then((opened) => opened.close()).catch(() => {});
    }
    signal.throwIfAborted();
    throw toOpenError(what, error);
  }
}
