import type { TopicPolicies } from "../admin/policies.ts";
import { formatPolicy, POLICY_NAMES } from "./format-policy.ts";
import type { FoundTopic } from "./read-topology.ts";
import type { Difference, WantedTopic } from "./topology.ts";

/** Returns the differences of a topic, in the order in which they can be removed. */
export function compareTopic(wanted: WantedTopic, found: FoundTopic | undefined): Difference[] {
  return [
    ...comparePartitions(wanted, found),
    ...compareSubscriptions(wanted, found),
    ...compareMessageTtl(wanted, found?.policies.messageTtlSeconds),
    ...compareBacklogQuota(wanted, found?.policies.backlogQuota),
  ];
}

function comparePartitions({ name, partitions }: WantedTopic, found: FoundTopic | undefined): Difference[] {
  if (found === undefined) {
    const wanted = partitions === 0 ? "present" : formatPartitions(partitions);
    return [
      {
        what: `topic ${name}`,
        wanted,
        found: undefined,
        remedy: (signal, admin) => admin.createTopic(signal, name, partitions),
      },
    ];
  }
  // The number of partitions determines the partition of a key. After a change of it, later messages of a key could
  // overtake earlier ones.
  const advice =
    "a topic keeps its partitions for its life; set their number to the found one, or delete the empty topic";
  return found.partitions === partitions
    ? []
    : [
        {
          what: `topic ${name}`,
          wanted: formatPartitions(partitions),
          found: formatPartitions(found.partitions),
          remedy: { advice },
        },
      ];
}

function compareSubscriptions(
  { name, subscriptions }: WantedTopic,
  found: FoundTopic | undefined,
): Difference[] {
  return subscriptions
    .filter((subscription) => !found?.subscriptions.includes(subscription))
    .map((subscription) => ({
      what: `topic ${name}: subscription ${subscription}`,
      wanted: "present",
      found: undefined,
      remedy: (signal, admin) => admin.createSubscription(signal, name, subscription),
    }));
}

function compareMessageTtl(
  { name, messageTtlSeconds: wanted }: WantedTopic,
  found: TopicPolicies["messageTtlSeconds"],
): Difference[] {
  return found === wanted
    ? []
    : [
        {
          what: `topic ${name}: ${POLICY_NAMES.messageTtlSeconds}`,
          wanted: formatPolicy("messageTtlSeconds", wanted) ?? "its namespace's",
          found: formatPolicy("messageTtlSeconds", found),
          remedy: (signal, admin) =>
            wanted === undefined
              ? admin.removeTopicPolicy(signal, name, "messageTtlSeconds")
              : admin.setTopicMessageTtl(signal, name, wanted),
        },
      ];
}

function compareBacklogQuota({ name }: WantedTopic, found: TopicPolicies["backlogQuota"]): Difference[] {
  return found === undefined
    ? []
    : [
        {
          what: `topic ${name}: ${POLICY_NAMES.backlogQuota}`,
          wanted: "its namespace's",
          found: formatPolicy("backlogQuota", found),
          remedy: (signal, admin) => admin.removeTopicPolicy(signal, name, "backlogQuota"),
        },
      ];
}

function formatPartitions(count: number): string {
  return count === 0 ? "no partitions" : `${count} partitions`;
}
