/** Names of topics as "namespace/topic". The adapter adds the tenant. */
export const TOPICS = {
  /** Messages of agents, and requests for runs. Key: the cluster. */
  events: "main/events",
  /** Messages that no ingester can apply, with the reason as a property. */
  deadLetter: "main/dead-letter",
} as const;

/**
 * Returns the topic on which one backend reads answers to the runs of its sessions. Reply topics have their own
 * namespace, because unread answers expire soon.
 */
export function replyTopic(backendId: string): string {
  return `replies/${backendId}`;
}

/** Subscription that all ingesters share. */
export const INGESTER_SUBSCRIPTION = "ingester";

/** Subscription of a backend on its own reply topic. */
export const BACKEND_SUBSCRIPTION = "backend";

/** Subscription that keeps dead letters until an operator retries or drops them. */
export const DEAD_LETTER_SUBSCRIPTION = "evenkeel";

/** Returns the bus key of a cluster. JSON, because every pair of account and cluster must have its own key. */
export function clusterKey(account: string, cluster: string): string {
  return JSON.stringify([account, cluster]);
}

/** Returns account and cluster of a bus key; undefined if the key is not that of a cluster. */
export function parseClusterKey(
  key: string,
): { readonly account: string; readonly cluster: string } | undefined {
  let parts: unknown;
  try {
    parts = JSON.parse(key);
  } catch {
    return undefined;
  }
  const [account, cluster]: unknown[] = Array.isArray(parts) ? parts : [];
  return typeof account === "string" && typeof cluster === "string" && clusterKey(account, cluster) === key
    ? { account, cluster }
    : undefined;
}
