import type { Delivery } from "../../../src/bus/bus.ts";
import { createMemoryBus } from "../../../src/bus/memory/memory-bus.ts";
import type {
  ConsumerConfig,
  ProducerConfig,
  PulsarClient,
  PulsarClientPackage,
  PulsarConsumer,
  PulsarMessage,
  PulsarProducer,
} from "../../../src/bus/pulsar/native/pulsar-client.ts";

/**
 * The part of Pulsar's client that is used, over a broker in memory, for machines without its native part.
 * Its errors and its acknowledgement by identity are those of version 1.18.
 */
export function createMemoryPulsarClient(): PulsarClientPackage {
  const bus = createMemoryBus();
  const { signal } = new AbortController();

  class MemoryClient implements PulsarClient {
    static setLogHandler(): void {}

    async createProducer({ topic }: ProducerConfig): Promise<PulsarProducer> {
      const producer = await bus.createProducer(signal, topic);
      let isOpen = true;
      return {
        async send({ data, partitionKey: key, properties }) {
          if (!isOpen) {
            throw new Error("Failed to send message: AlreadyClosed");
          }
          await producer.publish(signal, { key, payload: data, properties });
        },
        isConnected: () => isOpen,
        async close() {
          isOpen = false;
          return null;
        },
      };
    }

    async subscribe(config: ConsumerConfig): Promise<PulsarConsumer> {
      const consumer = await bus.subscribe(signal, {
        ...config,
        maxUnacknowledged: 1000,
        maxPrefetched: 1000,
      });
      const deliveries = consumer.deliveries(signal)[Symbol.asyncIterator]();
      const delivered = new Map<unknown, Delivery>();
      let isOpen = true;
      return {
        async receive(): Promise<PulsarMessage> {
          const { value: delivery, done } = await deliveries.next();
          if (done === true) {
            throw new Error("Failed to receive message: AlreadyClosed");
          }
          const id = { toString: () => `(1,${delivery.messageId},-1,-1)` };
          delivered.set(id, delivery);
          return {
            getPartitionKey: () => delivery.key,
            getData: () => Buffer.from(delivery.payload),
            getProperties: () => Object.assign([], delivery.properties),
            getRedeliveryCount: () => delivery.redeliveryCount,
            getMessageId: () => id,
          };
        },
        async acknowledgeId(id) {
          if (!isOpen) {
            throw new Error("Failed to acknowledge id: AlreadyClosed");
          }
          await delivered.get(id)?.acknowledge();
          return null;
        },
        negativeAcknowledgeId(id) {
          void delivered.get(id)?.redeliver();
        },
        isConnected: () => isOpen,
        async close() {
          isOpen = false;
          await consumer.close();
          return null;
        },
      };
    }

    getPartitionsForTopic = async (topic: string): Promise<readonly string[]> => [topic];

    async close(): Promise<null> {
      await bus.close();
      return null;
    }
  }

  return { Client: MemoryClient, AuthenticationToken: class {} };
}
