import type { Policies, TopicPolicies } from "./policies.ts";
import type { AdminRequest } from "./transport.ts";

/** What the admin API is told of a policy; the path is below that of the namespace or topic. */
export type PolicyRequest = Pick<AdminRequest, "path" | "query" | "body">;

type PolicyValues = Required<Policies>;

/** How each policy of a namespace is set. */
const REQUESTS: { readonly [K in keyof PolicyValues]: (value: PolicyValues[K]) => PolicyRequest } = {
  messageTtlSeconds: (seconds) => ({ path: "messageTTL", body: seconds }),
  backlogQuota: ({ limitBytes, policy }) => ({
    path: "backlogQuota",
    query: { backlogQuotaType: "destination_storage" },
    body: { limitSize: limitBytes, policy },
  }),
  retention: ({ minutes, megabytes }) => ({
    path: "retention",
    body: { retentionTimeInMinutes: minutes, retentionSizeInMB: megabytes },
  }),
  subscriptionExpirationMinutes: (minutes) => ({ path: "subscriptionExpirationTime", body: minutes }),
  inactiveTopics: (inactive) => ({
    path: "inactiveTopicPolicies",
    body: {
      deleteWhileInactive: inactive.type === "deleted",
      // The broker wants both in any case.
      maxInactiveDurationSeconds: inactive.type === "deleted" ? inactive.afterSeconds : 60,
      inactiveTopicDeleteMode: inactive.type === "deleted" ? inactive.mode : "delete_when_no_subscriptions",
    },
  }),
  autoTopicCreation: (creation) => ({
    path: "autoTopicCreation",
    body:
      creation.type === "allowed"
        ? { allowAutoTopicCreation: true, topicType: creation.topicType }
        : { allowAutoTopicCreation: false },
  }),
};

/** The requests that set these policies of a namespace. */
export function toPolicyRequests(policies: Policies): PolicyRequest[] {
  const given = Object.entries(policies) as [keyof PolicyValues, PolicyValues[keyof PolicyValues]][];
  return given.map(([name, value]) => toRequest(name, value));
}

function toRequest<K extends keyof PolicyValues>(name: K, value: PolicyValues[K]): PolicyRequest {
  return REQUESTS[name](value);
}

/** Where a topic's own policy is taken away. */
export const TOPIC_POLICY_PATHS: { readonly [K in keyof TopicPolicies]-?: PolicyRequest } = {
  messageTtlSeconds: { path: "messageTTL" },
  backlogQuota: { path: "backlogQuota", query: { backlogQuotaType: "destination_storage" } },
};
