import { waitFor } from "../../lib/abort.ts";
import { RetryableError } from "../../lib/errors.ts";
import { assertFits, type Bus, PublishRefusedError, PublishUnknownError } from "../bus.ts";
import { MemoryTopic, type MemoryTopicLimits } from "./topic.ts";

/** The outcome of a publish, for tests. The last two leave the publisher without a receipt. */
export type PublishOutcome = "store" | "refuse" | "storeUnknown" | "loseUnknown";

export interface MemoryBusOptions {
  /** Limits of each topic; default 10,000 messages and 64 MiB. A publisher waits while its topic is full. */
  readonly limits?: MemoryTopicLimits;
  /**
   * Event that sends the receipt of a publish. With `acknowledged`, no message that has a receipt is lost with the
   * process, except those that may be lost. With `stored`, the default, the bus takes the place of a broker in tests.
   */
  readonly receiptAt?: "stored" | "acknowledged";
  /** Largest payload of a message, in bytes; default 5 MiB, the default of a Pulsar broker. */
  readonly maxMessageBytes?: number;
  /** Returns the outcome of each publish; default `store`. */
  readonly outcomeFor?: (topic: string, key: string) => PublishOutcome;
}

/** A bus within one process. The messages that it keeps are lost when the process ends. */
export interface MemoryBus extends Bus {
  /** Cuts off every consumer of the subscription, as a broker does when it moves a topic. */
  cutOff(topic: string, subscription: string): void;
}

/**
 * Creates the bus of single-process programs and of tests. A message stays until every subscription of its
 * topic has acknowledged it. A topic without a subscription keeps no messages, as in Pulsar without
 * retention.
 */
export function createMemoryBus(options: MemoryBusOptions = {}): MemoryBus {
  const limits = options.limits ?? { maxItems: 10_000, maxBytes: 64 * 1024 * 1024 };
  const { receiptAt = "stored", maxMessageBytes = 5 * 1024 * 1024 } = options;
  const outcomeFor = options.outcomeFor ?? (() => "store" as const);
  const topics = new Map<string, MemoryTopic>();
  const closed = new AbortController();

  const topicOf = (name: string): MemoryTopic => {
    closed.signal.throwIfAborted();
    const topic = topics.get(name) ?? new MemoryTopic(limits);
    topics.set(name, topic);
    return topic;
  };

  return {
    isRemote: false,
    maxMessageBytes,

    async createProducer(signal, topicName) {
      signal.throwIfAborted();
      const topic = topicOf(topicName);
      return {
        async publish(publishSignal, message) {
          assertFits(message, maxMessageBytes);
          const outcome = outcomeFor(topicName, message.key);
          if (outcome === "refuse") {
            throw new PublishRefusedError(`topic ${topicName} refused the message`);
          }
          if (outcome !== "loseUnknown") {
            const publishing = AbortSignal.any([publishSignal, closed.signal]);
            const stored = await topic.store(publishing, message);
            if (receiptAt === "acknowledged" && message.isLosable !== true) {
              await waitFor(publishing, stored.released.promise);
            }
          }
          if (outcome !== "store") {
            throw new PublishUnknownError(`topic ${topicName} sent no receipt`);
          }
        },
        async close() {},
      };
    },

    async subscribe(signal, { topic, subscription, maxUnacknowledged }) {
      signal.throwIfAborted();
      return topicOf(topic).subscription(subscription).join(maxUnacknowledged);
    },

    cutOff(topic, subscription) {
      topicOf(topic)
        .subscription(subscription)
        .cutOff(new RetryableError(`the consumer of ${subscription} on ${topic} was cut off`));
    },

    async check() {
      closed.signal.throwIfAborted();
    },

    async close() {
      closed.abort(new RetryableError("the bus is closed"));
      for (const topic of topics.values()) {
        topic.close();
      }
      topics.clear();
    },
  };
}
