import { RetryableError } from "../../lib/errors.ts";
import { assertFits, type Bus, PublishRefusedError, PublishUnknownError } from "../bus.ts";
import { MemoryTopic, type MemoryTopicLimits } from "./topic.ts";

/** What becomes of a publish, for tests: the last two leave the publisher without a receipt. */
export type PublishOutcome = "store" | "refuse" | "storeUnknown" | "loseUnknown";

/** How to make a memory bus. */
export interface MemoryBusOptions {
  /** Bounds of each topic; default 10,000 messages and 64 MiB. A publisher waits while its topic is full. */
  readonly limits?: MemoryTopicLimits;
  /** Largest payload of a message, in bytes; default 5 MiB, as a broker of Pulsar has it. */
  readonly maxMessageBytes?: number;
  /** Decides the fate of each publish; default `store`. */
  readonly outcomeFor?: (topic: string, key: string) => PublishOutcome;
}

/** A bus inside one process. What it holds ends with the process. */
export interface MemoryBus extends Bus {
  /** Cuts off every consumer of the subscription, as a broker does that moves a topic. */
  cutOff(topic: string, subscription: string): void;
  /** Resolves once everything on the topic has been acknowledged: what the bus holds ends with the process. */
  emptied(signal: AbortSignal, topic: string): Promise<void>;
}

/**
 * The laptop's bus, and the one of tests. A message stays until every subscription of its topic has acknowledged
 * it; a topic without a subscription keeps nothing, as in Pulsar without retention.
 */
export function createMemoryBus(options: MemoryBusOptions = {}): MemoryBus {
  const limits = options.limits ?? { maxItems: 10_000, maxBytes: 64 * 1024 * 1024 };
  const { maxMessageBytes = 5 * 1024 * 1024 } = options;
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
    durable: false,
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
            await topic.store(AbortSignal.any([publishSignal, closed.signal]), message);
          }
          if (outcome !== "store") {
            throw new PublishUnknownError(`no receipt came from topic ${topicName}`);
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
        .cutOff(new RetryableError(`the consumer was cut off from ${topic}`));
    },

    emptied: (signal, topic) => topicOf(topic).emptied(AbortSignal.any([signal, closed.signal])),

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
