import type { Policies, TopicPolicies } from "./policies.ts";

/**
 * Administration of one tenant of a Pulsar instance: its namespaces ("main"), its topics as the bus names
 * them ("main/events"), and their policies. An item that does not exist is `undefined`.
 *
 * @throws ConflictError if an item to create exists already. The caller can then read it.
 * @throws TerminalError if the request is not valid or the caller lacks a permission.
 * @throws RetryableError if the broker cannot answer now.
 */
export interface PulsarAdmin {
  /** Returns the tenant's namespaces; undefined if the tenant does not exist. */
  listNamespaces(signal: AbortSignal): Promise<readonly string[] | undefined>;
  /** Creates the tenant, allowed in every cluster of the instance. Requires a superuser. */
  createTenant(signal: AbortSignal): Promise<void>;
  createNamespace(signal: AbortSignal, namespace: string): Promise<void>;
  /** Returns the policies that are set for the namespace itself. */
  readPolicies(signal: AbortSignal, namespace: string): Promise<Policies>;
  /** Sets these policies, and no other. */
  setPolicies(signal: AbortSignal, namespace: string, policies: Policies): Promise<void>;
  /**
   * Returns the number of a topic's partitions, 0 if it is not partitioned; undefined if it does not exist.
   */
  countPartitions(signal: AbortSignal, topic: string): Promise<number | undefined>;
  /** Creates a topic; 0 partitions: not partitioned. */
  createTopic(signal: AbortSignal, topic: string, partitions: number): Promise<void>;
  /** Returns the policies that are set for the topic itself. They have precedence over the namespace's. */
  readTopicPolicies(signal: AbortSignal, topic: string): Promise<TopicPolicies>;
  /** Sets the topic's own TTL, and resolves when it is in force. */
  setTopicMessageTtl(signal: AbortSignal, topic: string, seconds: number): Promise<void>;
  /** Removes a topic's own policy, and resolves when the namespace's applies. */
  removeTopicPolicy(signal: AbortSignal, topic: string, policy: keyof TopicPolicies): Promise<void>;
  listSubscriptions(signal: AbortSignal, topic: string): Promise<readonly string[]>;
  /** Creates a subscription that starts at the earliest message of the topic. */
  createSubscription(signal: AbortSignal, topic: string, subscription: string): Promise<void>;
  /** Returns the progress of a subscription. The topic must not be partitioned. */
  readSubscription(signal: AbortSignal, topic: string, subscription: string): Promise<SubscriptionStats>;
  /** Returns the version of the broker that responds, such as "4.0.8". */
  readVersion(signal: AbortSignal): Promise<string>;
  /** Returns the size limits of the broker. Requires a superuser. */
  readBrokerLimits(signal: AbortSignal): Promise<BrokerLimits>;
}

/** The statistics of a subscription, in messages. */
export interface SubscriptionStats {
  /** Messages that are not acknowledged, delivered or not. */
  readonly backlog: number;
  /** Part of the backlog that the broker read and put back, because the key or its consumer was not free. */
  readonly inReplay: number;
  /** Part of the backlog that is delivered to a consumer. */
  readonly unacknowledged: number;
  /** Deliveries since the broker loaded the topic. A repeated delivery counts again. */
  readonly delivered: number;
}

/** Limits of a broker. */
export interface BrokerLimits {
  /** `maxMessageSize`: largest payload, in bytes. */
  readonly maxMessageBytes: number;
  /** `webSocketMaxTextFrameSize`: largest frame of its WebSocket API, in bytes. */
  readonly maxTextFrameBytes: number;
  /**
   * `webSocketSessionIdleTimeoutMillis`: time after which it ends a silent connection of its WebSocket API, in
   * milliseconds.
   */
  readonly sessionIdleMs: number;
}
