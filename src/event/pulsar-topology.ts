import type { BrokerLimits } from "../bus/pulsar/admin/pulsar-admin.ts";
import type { Topology } from "../bus/pulsar/topology/topology.ts";
import { DEAD_LETTER_SUBSCRIPTION, INGESTER_SUBSCRIPTION, TOPICS } from "./topics.ts";

/** Settings of the topology that an operator chooses. */
export interface TopologyOptions {
  /** Number of partitions of the events topic. It can never change, because a key's partition depends on it. */
  readonly partitions: number;
  /** Backlog quota of each partition and of the dead-letter topic; publishes beyond it are rejected. */
  readonly backlogBytes: number;
  /** Retention of events after they were applied; unset: none. */
  readonly eventRetentionMs: number | undefined;
  /** Retention of dead letters. */
  readonly deadLetterRetentionMs: number;
  readonly limits: Partial<BrokerLimits>;
}

/** Runs end sooner than this, and no backend needs the answers of an ended run. */
const REPLY_TTL_S = 60 * 60;
const REPLY_SUBSCRIPTION_EXPIRATION_MIN = 60;
const INACTIVE_REPLY_TOPIC_S = 10 * 60;
const REPLY_BACKLOG_BYTES = 1024 ** 3;

/**
 * Returns the topology that Evenkeel needs on Pulsar. In `main` no message is lost: messages wait for an ingester, and
 * at the quota the broker rejects more, so publishers wait too. In `replies` messages are temporary: topics exist as
 * long as their backends, and an answer that is not read expires, so it does not block the ingester that publishes it.
 */
export function createTopology(options: TopologyOptions): Topology {
  const { partitions, backlogBytes, eventRetentionMs, deadLetterRetentionMs, limits } = options;
  return {
    limits,
    namespaces: [
      {
        name: "main",
        policies: {
          messageTtlSeconds: 0,
          backlogQuota: { limitBytes: backlogBytes, policy: "producer_exception" },
          retention:
            eventRetentionMs === undefined
              ? { minutes: 0, megabytes: 0 }
              : { minutes: Math.ceil(eventRetentionMs / 60_000), megabytes: -1 },
          subscriptionExpirationMinutes: 0,
          inactiveTopics: { type: "kept" },
          autoTopicCreation: { type: "forbidden" },
        },
      },
      {
        name: "replies",
        policies: {
          messageTtlSeconds: REPLY_TTL_S,
          backlogQuota: { limitBytes: REPLY_BACKLOG_BYTES, policy: "consumer_backlog_eviction" },
          subscriptionExpirationMinutes: REPLY_SUBSCRIPTION_EXPIRATION_MIN,
          inactiveTopics: {
            type: "deleted",
            afterSeconds: INACTIVE_REPLY_TOPIC_S,
            mode: "delete_when_no_subscriptions",
          },
          autoTopicCreation: { type: "allowed", topicType: "non-partitioned" },
        },
      },
    ],
    topics: [
      { name: TOPICS.events, partitions, subscriptions: [INGESTER_SUBSCRIPTION] },
      {
        name: TOPICS.deadLetter,
        partitions: 0,
        subscriptions: [DEAD_LETTER_SUBSCRIPTION],
        messageTtlSeconds: Math.ceil(deadLetterRetentionMs / 1000),
      },
    ],
  };
}
