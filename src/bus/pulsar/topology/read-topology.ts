import { TerminalError } from "../../../lib/errors.ts";
import type { Policies, TopicPolicies } from "../admin/policies.ts";
import type { BrokerLimits, PulsarAdmin } from "../admin/pulsar-admin.ts";
import type { Topology } from "./topology.ts";

/** What a tenant of Pulsar has, of what is wanted. */
export interface CurrentTopology {
  readonly hasTenant: boolean;
  /** Those that are there, with their policies. */
  readonly namespaces: ReadonlyMap<string, Policies>;
  /** Those that are there. */
  readonly topics: ReadonlyMap<string, FoundTopic>;
  /** The broker's; undefined when whoever asks may not see it. */
  readonly version: string | undefined;
  /** Undefined when whoever asks may not see them. */
  readonly limits: BrokerLimits | undefined;
}

/** A topic that is there. */
export interface FoundTopic {
  readonly partitions: number;
  readonly subscriptions: readonly string[];
  readonly policies: TopicPolicies;
}

/** Looks at the broker. */
export async function readTopology(
  signal: AbortSignal,
  admin: PulsarAdmin,
  wanted: Topology,
): Promise<CurrentTopology> {
  const existing = await admin.listNamespaces(signal);
  const namespaces = new Map<string, Policies>();
  for (const { name } of wanted.namespaces) {
    if (existing?.includes(name)) {
      namespaces.set(name, await admin.readPolicies(signal, name));
    }
  }
  const topics = new Map<string, FoundTopic>();
  for (const { name } of wanted.topics) {
    const topic = namespaces.has(namespaceOf(name)) ? await findTopic(signal, admin, name) : undefined;
    if (topic !== undefined) {
      topics.set(name, topic);
    }
  }
  const version = await undefinedIfForbidden(() => admin.readVersion(signal));
  const limits = await undefinedIfForbidden(() => admin.readBrokerLimits(signal));
  return { hasTenant: existing !== undefined, namespaces, topics, version, limits };
}

async function findTopic(
  signal: AbortSignal,
  admin: PulsarAdmin,
  topic: string,
): Promise<FoundTopic | undefined> {
  const partitions = await admin.countPartitions(signal, topic);
  if (partitions === undefined) {
    return undefined;
  }
  const subscriptions = await admin.listSubscriptions(signal, topic);
  return { partitions, subscriptions, policies: await admin.readTopicPolicies(signal, topic) };
}

/** Only a superuser sees a broker's configuration; a tenant's administrator can do all the rest. */
async function undefinedIfForbidden<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof TerminalError) {
      return undefined;
    }
    throw error;
  }
}

function namespaceOf(topic: string): string {
  return topic.slice(0, topic.indexOf("/"));
}
