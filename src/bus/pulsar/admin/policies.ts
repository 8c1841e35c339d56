/**
 * The policies of a topic. An absent member is not set; then the policy of the namespace or of the broker
 * applies.
 */
export interface TopicPolicies {
  /** Time after which unacknowledged messages are dropped, in seconds; 0 keeps them. */
  readonly messageTtlSeconds?: number;
  readonly backlogQuota?: BacklogQuota;
}

/** The policies of a namespace. A limit applies to each partition of each of its topics. */
export interface Policies extends TopicPolicies {
  readonly retention?: Retention;
  /** Time after which an unused subscription is removed with its backlog, in minutes; 0 keeps it. */
  readonly subscriptionExpirationMinutes?: number;
  readonly inactiveTopics?: InactiveTopics;
  readonly autoTopicCreation?: AutoTopicCreation;
}

/** The limit of unacknowledged messages. */
export interface BacklogQuota {
  readonly limitBytes: number;
  /**
   * Effect above the limit: `producer_exception` refuses a publish, `producer_request_hold` delays its
   * receipt, `consumer_backlog_eviction` drops the oldest messages.
   */
  readonly policy: string;
}

/** The retention of acknowledged messages, until both limits are exceeded. 0: none, -1: unlimited. */
export interface Retention {
  readonly minutes: number;
  readonly megabytes: number;
}

/** The treatment of topics that are not used. */
export type InactiveTopics =
  | { readonly type: "kept" }
  | {
      readonly type: "deleted";
      readonly afterSeconds: number;
      /** Condition of inactivity: `delete_when_no_subscriptions` or `delete_when_subscriptions_caught_up`. */
      readonly mode: string;
    };

/** The permission to create a topic at the first use of its name. */
export type AutoTopicCreation =
  | { readonly type: "forbidden" }
  | {
      readonly type: "allowed";
      /** `non-partitioned` or `partitioned`. */
      readonly topicType: string;
    };
