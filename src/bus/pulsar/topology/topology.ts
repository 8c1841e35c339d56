import type { Policies } from "../admin/policies.ts";
import type { BrokerLimits } from "../admin/pulsar-admin.ts";

/** What a tenant of Pulsar has to have, so that nothing is lost and nothing grows without end. */
export interface Topology {
  readonly namespaces: readonly WantedNamespace[];
  readonly topics: readonly WantedTopic[];
  /** What the broker has to take at least. */
  readonly limits: Partial<BrokerLimits>;
}

/** A namespace, with its policies. */
export interface WantedNamespace {
  readonly name: string;
  readonly policies: Policies;
}

/** A topic. It has no policies of its own but the one below, so that its namespace's apply. */
export interface WantedTopic {
  readonly name: string;
  /** 0 for a topic without. */
  readonly partitions: number;
  readonly subscriptions: readonly string[];
  /** After how long what nobody has acknowledged is given up; unset: its namespace's. */
  readonly messageTtlSeconds?: number;
}
