/** Names of topics as "namespace/topic", below whatever tenant an adapter puts them in. */
export const TOPICS = {
  /** Everything that agents say, and requests for runs. Key: the cluster. */
  events: "main/events",
  /** Messages that no ingester can apply, with the reason as a property. */
  deadLetter: "main/dead-letter",
} as const;

/**
 * The topic on which one backend reads answers to the runs of its sessions. In a namespace of its own, where what
 * nobody reads any more soon expires.
 */
export function replyTopic(backendId: string): string {
  return `replies/${backendId}`;
}

/** The subscription that ingesters share. */
export const INGESTER_SUBSCRIPTION = "ingester";

/** The subscription that a backend has on its own reply topic. */
export const BACKEND_SUBSCRIPTION = "backend";

/** The subscription that keeps dead letters until somebody has looked at them. */
export const DEAD_LETTER_SUBSCRIPTION = "evenkeel";

/** The bus key of a cluster. JSON, so that no two pairs of account and cluster have the same. */
export function clusterKey(account: string, cluster: string): string {
  return JSON.stringify([account, cluster]);
}
