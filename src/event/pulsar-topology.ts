import type { BrokerLimits } from "../bus/pulsar/admin/pulsar-admin.ts";
import type { Topology } from "../bus/pulsar/topology/topology.ts";
import { DEAD_LETTER_SUBSCRIPTION, INGESTER_SUBSCRIPTION, TOPICS } from "./topics.ts";

/** What of it an operator decides. */
export interface TopologyOptions {
  /** Of the events topic, for its life: a key's partition follows from their count. */
  readonly partitions: number;
  /** Most that each partition may hold unapplied, and the dead letters; what would go beyond it is refused. */
  readonly backlogBytes: number;
  /** How long events are kept after they were applied; unset: not at all. */
  readonly eventRetentionMs: number | undefined;
  /** How long dead letters are kept. */
  readonly deadLetterRetentionMs: number;
  readonly limits: Partial<BrokerLimits>;
}

/** Runs end sooner than this, and then nobody wants their answers any more. */
const REPLY_TTL_S = 60 * 60;
const REPLY_SUBSCRIPTION_EXPIRATION_MIN = 60;
const INACTIVE_REPLY_TOPIC_S = 10 * 60;
const REPLY_BACKLOG_BYTES = 1024 ** 3;

/**
 * What Evenkeel wants of Pulsar. In `main` nothing is ever given up: it waits for an ingester until the quota refuses more,
 * and publishers wait with it. In `replies` everything passes: topics come and go with backends, and an answer that is not
 * read makes way rather than hold up the ingester that gives it.
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
