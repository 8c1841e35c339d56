import type { AdminRequest } from "./http-transport.ts";
import type { Policies, TopicPolicies } from "./policies.ts";

/** A request for one policy. Its path is below that of the namespace or topic. */
export type PolicyRequest = Pick<AdminRequest, "path" | "query" | "body">;

type PolicyValues = Required<Policies>;

/** The request that sets each policy of a namespace. */
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
      // The broker requires both members in any case.
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

/** Returns the requests that set these policies of a namespace. */
export function toPolicyRequests(policies: Policies): PolicyRequest[] {
  const given = Object.entries(policies) as [keyof PolicyValues, PolicyValues[keyof PolicyValues]][];
  return given.map(([name, value]) => toRequest(name, value));
}

function toRequest<K extends keyof PolicyValues>(name: K, value: PolicyValues[K]): PolicyRequest {
  return REQUESTS[name](value);
}

/** The request that removes each policy of a topic. */
export const TOPIC_POLICY_PATHS: { readonly [K in keyof TopicPolicies]-?: PolicyRequest } = {
  messageTtlSeconds: { path: "messageTTL" },
  backlogQuota: { path: "backlogQuota", query: { backlogQuotaType: "destination_storage" } },
};
