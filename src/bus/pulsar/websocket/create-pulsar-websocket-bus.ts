import { request } from "undici";
import { RetryableError, TerminalError, toMessage } from "../../../lib/errors.ts";
import { createTokenSource } from "../../../lib/token-source.ts";
import type { Bus } from "../../bus.ts";
import { createBusMetrics } from "../../metrics.ts";
import type { BusOptions, BusSettings } from "../../settings.ts";
import { openPulsarAdmin } from "../admin/create-pulsar-admin.ts";
import { PartitionedProducer, type PartitionProducer } from "../partitioned-producer.ts";
import type { Connection } from "./connection.ts";
import { WebSocketConsumer } from "./consumer.ts";
import { createDispatcher, type DialOptions, dial } from "./dial.ts";
import { toConsumerUrl, toHttpUrl, toProducerUrl } from "./endpoint-url.ts";
import { DEFAULT_MAX_MESSAGE_BYTES } from "./frames.ts";
import { WebSocketProducer } from "./producer.ts";

/**
 * Creates a bus over Pulsar's WebSocket API, which needs no native code. Each producer and each consumer has
 * its own connection.
 *
 * `createProducer` and `subscribe` try once, and reject with `RetryableError` if the broker is unavailable.
 * An open producer reconnects, a consumer does not.
 */
export function createPulsarWebSocketBus(settings: BusSettings, dependencies: BusOptions): Bus {
  const { url, tenant, trustCertsFile, maxMessageBytes = DEFAULT_MAX_MESSAGE_BYTES } = settings;
  const { clock, log, metrics } = dependencies;
  const dialOptions = { clock, trustCertsFile, readToken: createTokenSource(settings)?.read };
  const busMetrics = createBusMetrics(metrics);
  const producers = new Set<PartitionProducer>();
  const consumers = new Set<WebSocketConsumer>();
  const closed = new AbortController();
  const dialProducer = (signal: AbortSignal, topic: string): Promise<Connection> =>
    dial(signal, `producer of ${topic}`, toProducerUrl(url, tenant, topic), dialOptions);
  const createProducer = (topic: string, first: Connection | undefined): WebSocketProducer =>
    new WebSocketProducer(first, {
      ...dependencies,
      ...{ topic, maxMessageBytes, metrics: busMetrics },
      dial: (signal) => dialProducer(signal, topic),
    });
  const adminUrl = settings.adminUrl ?? toHttpUrl(url).origin;
  /**
   * Returns the number of partitions, 0 if the topic is not partitioned. Also 0 if there is no admin API, or if it
   * refuses the role: then the error of the producer names what is missing.
   */
  const countPartitions = async (signal: AbortSignal, topic: string): Promise<number> => {
    const admin = await openPulsarAdmin({ clock }, settings, adminUrl);
    try {
      return (await admin.countPartitions(signal, topic)) ?? 0;
    } catch (error) {
      if (error instanceof TerminalError) {
        return 0;
      }
      throw error;
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
          ? createProducer(topic, await dialProducer(opening, topic))
          : new PartitionedProducer({
              ...{ topic, partitions },
              open: async (partition) => createProducer(partition, undefined),
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
      const { topic, subscription } = options;
      const what = `consumer of ${subscription} on ${topic}`;
      const connecting = AbortSignal.any([signal, closed.signal]);
      const connection = await dial(connecting, what, toConsumerUrl(url, tenant, options), dialOptions);
      const consumer = new WebSocketConsumer(connection, clock, options, () => {
        log.warn("consumer cut off", { topic, subscription });
        busMetrics.cutOff(topic);
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
      await probe(signal, url, dialOptions);
    },

    async close() {
      closed.abort(new Error("the bus is closed"));
      await Promise.all([...producers, ...consumers].map((member) => member.close()));
    },
  };
}

/**
 * Resolves if the server at the URL answers by HTTP with any status below 500. A broker that is starting or
 * stopped does not answer, and a proxy in front of it answers 502 or 503.
 *
 * @throws RetryableError for any other outcome.
 */
export async function probe(signal: AbortSignal, webSocketUrl: string, options: DialOptions): Promise<void> {
  const url = toHttpUrl(webSocketUrl);
  const agent = createDispatcher(options);
  let status: number;
  try {
    const { statusCode, body } = await request(url, { dispatcher: agent, signal });
    status = statusCode;
    await body.dump();
  } catch (cause) {
    signal.throwIfAborted();
    throw new RetryableError(`the broker at ${url.host} does not answer: ${toMessage(cause)}`, { cause });
  } finally {
    await agent.destroy();
  }
  if (status >= 500) {
    throw new RetryableError(`the broker at ${url.host} answers with status ${status}`);
  }
}
