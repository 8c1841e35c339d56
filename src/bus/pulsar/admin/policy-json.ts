import * as z from "zod/mini";
import type { AutoTopicCreation, InactiveTopics, Policies, TopicPolicies } from "./policies.ts";

const quotas = z.record(z.string(), z.object({ limitSize: z.number(), policy: z.string() }));

/** The `messageTTL` of a topic. */
export const topicTtlJson = z.nullish(z.number());

/** The `backlogQuotaMap` of a topic. */
export const topicQuotasJson = z.nullish(quotas);

/** The members of a namespace's `Policies` that are used. */
export const policiesJson = z.object({
  message_ttl_in_seconds: z.nullish(z.number()),
  backlog_quota_map: z.nullish(quotas),
  retention_policies: z.nullish(
    z.object({ retentionTimeInMinutes: z.number(), retentionSizeInMB: z.number() }),
  ),
  subscription_expiration_time_minutes: z.nullish(z.number()),
  inactive_topic_policies: z.nullish(
    z.object({
      deleteWhileInactive: z.boolean(),
      maxInactiveDurationSeconds: z.number(),
      inactiveTopicDeleteMode: z.string(),
    }),
  ),
  autoTopicCreationOverride: z.nullish(
    z.object({ allowAutoTopicCreation: z.boolean(), topicType: z.nullish(z.string()) }),
  ),
});

type PoliciesJson = z.infer<typeof policiesJson>;

/** Returns the policies of a namespace. */
export function toPolicies(json: PoliciesJson): Policies {
  const retention = json.retention_policies;
  const expiration = json.subscription_expiration_time_minutes;
  const inactiveTopics = toInactiveTopics(json.inactive_topic_policies);
  const autoTopicCreation = toAutoTopicCreation(json.autoTopicCreationOverride);
  return {
    ...toTopicPolicies(json.message_ttl_in_seconds, json.backlog_quota_map),
    ...(retention && {
      retention: { minutes: retention.retentionTimeInMinutes, megabytes: retention.retentionSizeInMB },
    }),
    ...(isSet(expiration) && { subscriptionExpirationMinutes: expiration }),
    ...(inactiveTopics && { inactiveTopics }),
    ...(autoTopicCreation && { autoTopicCreation }),
  };
}

/** Returns the policies of a topic. Of the quotas it reads the one of size. */
export function toTopicPolicies(
  ttl: z.infer<typeof topicTtlJson>,
  quotas: z.infer<typeof topicQuotasJson>,
): TopicPolicies {
  const quota = quotas?.["destination_storage"];
  return {
    ...(isSet(ttl) && { messageTtlSeconds: ttl }),
    ...(quota && { backlogQuota: { limitBytes: quota.limitSize, policy: quota.policy } }),
  };
}

function toInactiveTopics(json: PoliciesJson["inactive_topic_policies"]): InactiveTopics | undefined {
  if (!json) {
    return undefined;
  }
  const { deleteWhileInactive, maxInactiveDurationSeconds, inactiveTopicDeleteMode } = json;
  return deleteWhileInactive
    ? { type: "deleted", afterSeconds: maxInactiveDurationSeconds, mode: inactiveTopicDeleteMode }
    : { type: "kept" };
}

function toAutoTopicCreation(json: PoliciesJson["autoTopicCreationOverride"]): AutoTopicCreation | undefined {
  if (!json) {
    return undefined;
  }
  return json.allowAutoTopicCreation
    ? { type: "allowed", topicType: json.topicType ?? "non-partitioned" }
    : { type: "forbidden" };
}

function isSet<T>(value: T): value is NonNullable<T> {
  return value !== null && value !== undefined;
}
