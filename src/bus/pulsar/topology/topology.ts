import type { Policies } from "../admin/policies.ts";
import type { BrokerLimits, PulsarAdmin } from "../admin/pulsar-admin.ts";

/**
 * The wanted items of a tenant of Pulsar, with which no message is lost and no backlog grows without a limit.
 */
export interface Topology {
  readonly namespaces: readonly WantedNamespace[];
  readonly topics: readonly WantedTopic[];
  /** Limits of the broker: its sizes at least, its times at most. */
  readonly limits: Partial<BrokerLimits>;
}

/** A namespace with its policies. */
export interface WantedNamespace {
  readonly name: string;
  readonly policies: Policies;
}

/** A topic. Its only own policy is the TTL; otherwise the policies of its namespace apply. */
export interface WantedTopic {
  readonly name: string;
  /** Number of partitions; 0: not partitioned. */
  readonly partitions: number;
  readonly subscriptions: readonly string[];
  /** Time after which unacknowledged messages are dropped, in seconds; unset: that of its namespace. */
  readonly messageTtlSeconds?: number;
}

/** A difference between the wanted and the current topology. */
export interface Difference {
  /** Name for people, such as "topic main/events: partitions". */
  readonly what: string;
  readonly wanted: string;
  /** The current value; undefined if it does not exist or is not set. A set value may have a reason. */
  readonly found: string | undefined;
  /** The change that removes the difference, or an advice if no change can. */
  readonly remedy: ApplyChange | Advice;
}

/** A change of the topology. Rejects with `ConflictError` if another client changed the same item. */
export type ApplyChange = (signal: AbortSignal, admin: PulsarAdmin) => Promise<void>;

/** The action that a person can take. */
export interface Advice {
  readonly advice: string;
}
