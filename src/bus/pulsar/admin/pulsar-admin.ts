import type { Policies, TopicPolicies } from "./policies.ts";

/**
 * What is asked of a Pulsar instance besides messages, about one tenant: its namespaces ("main"), its topics as the bus
 * names them ("main/events"), and their policies.
 *
 * What is not there is `undefined`. Making what is there already throws `ConflictError`, so that the caller can look
 * again at what it is. `TerminalError` says what is wrong with the request or with the rights of who asks,
 * `RetryableError` that the broker cannot answer now.
 */
export interface PulsarAdmin {
  /** The tenant's namespaces; undefined when there is no such tenant. */
  listNamespaces(signal: AbortSignal): Promise<readonly string[] | undefined>;
  /** Makes the tenant, allowed in every cluster of the instance: that takes a superuser. */
  createTenant(signal: AbortSignal): Promise<void>;
  createNamespace(signal: AbortSignal, namespace: string): Promise<void>;
  /** What is set for the namespace itself. */
  readPolicies(signal: AbortSignal, namespace: string): Promise<Policies>;
  /** Sets the policies that are given, and no other. */
  setPolicies(signal: AbortSignal, namespace: string, policies: Policies): Promise<void>;
  /** How many partitions a topic has, 0 for one without; undefined when there is no such topic. */
  countPartitions(signal: AbortSignal, topic: string): Promise<number | undefined>;
  /** Makes a topic; 0 partitions make one without. */
  createTopic(signal: AbortSignal, topic: string, partitions: number): Promise<void>;
  /** What is set for the topic itself; it has precedence over the namespace's. */
  readTopicPolicies(signal: AbortSignal, topic: string): Promise<TopicPolicies>;
  /** Sets the topic's own, and resolves once it is in force. */
  setTopicMessageTtl(signal: AbortSignal, topic: string, seconds: number): Promise<void>;
  /** Takes a topic's own policy away, so that the namespace's applies, and resolves once it does. */
  removeTopicPolicy(signal: AbortSignal, topic: string, policy: keyof TopicPolicies): Promise<void>;
  listSubscriptions(signal: AbortSignal, topic: string): Promise<readonly string[]>;
  /** Makes a subscription that begins at the earliest message which the topic still has. */
  createSubscription(signal: AbortSignal, topic: string, subscription: string): Promise<void>;
  /** How far a subscription of a topic without partitions is. */
  readSubscription(signal: AbortSignal, topic: string, subscription: string): Promise<SubscriptionStats>;
  /** Of the broker that answers, such as "4.0.8". */
  readVersion(signal: AbortSignal): Promise<string>;
  /** How large messages may be: that takes a superuser. */
  readBrokerLimits(signal: AbortSignal): Promise<BrokerLimits>;
}

/** What a broker tells of a subscription, in messages. */
export interface SubscriptionStats {
  /** Not acknowledged, handed out or not. */
  readonly backlog: number;
  /** Of these, read and put back, to be handed out later: their key, or whoever takes it, was not free. */
  readonly inReplay: number;
  /** Of these, with a consumer. */
  readonly unacknowledged: number;
  /** Ever handed out, since the broker has the topic; grows also when one is handed out again. */
  readonly delivered: number;
}

/** What a broker takes. */
export interface BrokerLimits {
  /** `maxMessageSize`: largest payload, in bytes. */
  readonly maxMessageBytes: number;
  /** `webSocketMaxTextFrameSize`: largest frame of its WebSocket API, in bytes. */
  readonly maxTextFrameBytes: number;
}
