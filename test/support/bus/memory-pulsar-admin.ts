import type { Policies, TopicPolicies } from "../../../src/bus/pulsar/admin/policies.ts";
import type { BrokerLimits, PulsarAdmin } from "../../../src/bus/pulsar/admin/pulsar-admin.ts";
import { ConflictError, NotFoundError } from "../../../src/lib/errors.ts";

interface MemoryTopic {
  readonly partitions: number;
  readonly subscriptions: Map<string, number>;
  policies: TopicPolicies;
  messages: number;
}

/** A tenant in memory, which passes the contract of the port, with methods for changes from outside. */
export interface MemoryPulsarAdmin extends PulsarAdmin {
  /** Adds a message to a topic. */
  publish(topic: string): void;
  /** Sets topic policies that the port does not set. */
  setTopicPolicies(topic: string, policies: TopicPolicies): void;
}

/** Creates a tenant that does not exist yet, on a broker of these limits and this version. */
export function createMemoryPulsarAdmin(limits: BrokerLimits, version = "4.0.8"): MemoryPulsarAdmin {
  let hasTenant = false;
  const namespaces = new Map<string, Policies>();
  const topics = new Map<string, MemoryTopic>();
  const absent = (name: string): never => {
    throw new NotFoundError(`${name}: 404`);
  };
  const assertNew = (isThere: boolean, name: string): void => {
    if (isThere) {
      throw new ConflictError(`${name}: 409`);
    }
  };
  const topicOf = (name: string): MemoryTopic => topics.get(name) ?? absent(name);
  const policiesOf = (namespace: string): Policies => namespaces.get(namespace) ?? absent(namespace);

  return {
    listNamespaces: async () => (hasTenant ? [...namespaces.keys()] : undefined),
    async createTenant() {
      assertNew(hasTenant, "tenant");
      hasTenant = true;
    },
    async createNamespace(_, namespace) {
      assertNew(namespaces.has(namespace), namespace);
      namespaces.set(namespace, {});
    },
    readPolicies: async (_, namespace) => policiesOf(namespace),
    async setPolicies(_, namespace, policies) {
      namespaces.set(namespace, { ...policiesOf(namespace), ...policies });
    },
    countPartitions: async (_, topic) => topics.get(topic)?.partitions,
    async createTopic(_, topic, partitions) {
      policiesOf(topic.slice(0, topic.indexOf("/")));
      assertNew(topics.has(topic), topic);
      topics.set(topic, { partitions, subscriptions: new Map(), policies: {}, messages: 0 });
    },
    readTopicPolicies: async (_, topic) => topicOf(topic).policies,
    async setTopicMessageTtl(_, topic, messageTtlSeconds) {
      const found = topicOf(topic);
      found.policies = { ...found.policies, messageTtlSeconds };
    },
    async removeTopicPolicy(_, topic, policy) {
      const found = topicOf(topic);
      const { [policy]: _removed, ...others } = found.policies;
      found.policies = others;
    },
    listSubscriptions: async (_, topic) => [...topicOf(topic).subscriptions.keys()],
    async createSubscription(_, topic, subscription) {
      const { subscriptions, messages } = topicOf(topic);
      assertNew(subscriptions.has(subscription), subscription);
      subscriptions.set(subscription, messages);
    },
    async readSubscription(_, topic, subscription) {
      const backlog = topicOf(topic).subscriptions.get(subscription) ?? absent(subscription);
      return { backlog, inReplay: 0, unacknowledged: 0, delivered: 0 };
    },
    readVersion: async () => version,
    readBrokerLimits: async () => limits,
    publish(topic) {
      const found = topicOf(topic);
      found.messages += 1;
      for (const [subscription, backlog] of found.subscriptions) {
        found.subscriptions.set(subscription, backlog + 1);
      }
    },
    setTopicPolicies(topic, policies) {
      topicOf(topic).policies = policies;
    },
  };
}
