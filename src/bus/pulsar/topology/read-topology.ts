import { TerminalError } from "../../../lib/errors.ts";
import type { Policies, TopicPolicies } from "../admin/policies.ts";
import type { BrokerLimits, PulsarAdmin } from "../admin/pulsar-admin.ts";
import type { Topology } from "./topology.ts";

/** The current state of the wanted items of a tenant. */
export interface CurrentTopology {
  readonly hasTenant: boolean;
  /** The wanted namespaces that exist, with their policies. */
  readonly namespaces: ReadonlyMap<string, Policies>;
  /** The wanted topics that exist. */
  readonly topics: ReadonlyMap<string, FoundTopic>;
  /** Version of the broker; undefined if the caller lacks the permission to read it. */
  readonly version: string | undefined;
  /** Limits of the broker; undefined if the caller lacks the permission to read them. */
  readonly limits: BrokerLimits | undefined;
}

/** A topic that exists. */
export interface FoundTopic {
  readonly partitions: number;
  readonly subscriptions: readonly string[];
  readonly policies: TopicPolicies;
}

/** Reads the current state of the wanted items from the broker. */
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

/**
 * Returns undefined if the caller lacks a permission: only a superuser can read a broker's configuration, and
 * a tenant's administrator can do all the rest.
 */
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
