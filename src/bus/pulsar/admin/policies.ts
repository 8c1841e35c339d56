/** What may be set for a topic and what is in it; a member that is absent is not set, and what is above it applies. */
export interface TopicPolicies {
  /** After how long what nobody has acknowledged is given up; 0 keeps it. */
  readonly messageTtlSeconds?: number;
  readonly backlogQuota?: BacklogQuota;
}

/** What may be set for a namespace. The limits are those of each partition of each of its topics. */
export interface Policies extends TopicPolicies {
  readonly retention?: Retention;
  /** After how long a subscription that nobody uses is removed with its backlog; 0 keeps it. */
  readonly subscriptionExpirationMinutes?: number;
  readonly inactiveTopics?: InactiveTopics;
  readonly autoTopicCreation?: AutoTopicCreation;
}

/** How much may wait to be acknowledged. */
export interface BacklogQuota {
  readonly limitBytes: number;
  /**
   * What happens beyond it: `producer_exception` refuses what is published, `producer_request_hold` leaves it without an
   * answer, `consumer_backlog_eviction` throws the oldest away.
   */
  readonly policy: string;
}

/** What is kept after it was acknowledged: until both limits are passed. 0 is nothing, -1 without end. */
export interface Retention {
  readonly minutes: number;
  readonly megabytes: number;
}

/** What becomes of topics that nobody uses. */
export type InactiveTopics =
  | { readonly type: "kept" }
  | {
      readonly type: "deleted";
      readonly afterSeconds: number;
      /** What counts as inactive: `delete_when_no_subscriptions` or `delete_when_subscriptions_caught_up`. */
      readonly mode: string;
    };

/** Whether a topic is made when somebody first uses its name. */
export type AutoTopicCreation =
  | { readonly type: "forbidden" }
  | {
      readonly type: "allowed";
      /** `non-partitioned` or `partitioned`. */
      readonly topicType: string;
    };
