import type { Policies } from "../admin/policies.ts";

type PolicyValues = Required<Policies>;

/** The name of each policy in Pulsar's own tool, which people know. */
export const POLICY_NAMES: { readonly [K in keyof PolicyValues]: string } = {
  messageTtlSeconds: "message-ttl",
  backlogQuota: "backlog-quota",
  retention: "retention",
  subscriptionExpirationMinutes: "subscription-expiration-time",
  inactiveTopics: "inactive-topic-policies",
  autoTopicCreation: "auto-topic-creation",
};

const FORMATS: { readonly [K in keyof PolicyValues]: (value: PolicyValues[K]) => string } = {
  messageTtlSeconds: (seconds) => (seconds === 0 ? "none" : formatSeconds(seconds)),
  backlogQuota: ({ limitBytes, policy }) => `${formatBytes(limitBytes)}, ${policy}`,
  retention: ({ minutes, megabytes }) => {
    const time = minutes === -1 ? "any time" : formatSeconds(minutes * 60);
    const size = megabytes === -1 ? "any size" : `${megabytes} MB`;
    return minutes === 0 && megabytes === 0 ? "none" : `${time}, ${size}`;
  },
  subscriptionExpirationMinutes: (minutes) => (minutes === 0 ? "never" : formatSeconds(minutes * 60)),
  inactiveTopics: (topics) =>
    topics.type === "kept" ? "kept" : `deleted after ${formatSeconds(topics.afterSeconds)}, ${topics.mode}`,
  autoTopicCreation: (creation) =>
    creation.type === "allowed" ? `allowed, ${creation.topicType}` : "forbidden",
};

/** Returns the value of a policy for people; undefined if it is not set. */
export function formatPolicy<K extends keyof PolicyValues>(
  name: K,
  value: PolicyValues[K] | undefined,
): string | undefined {
  return value === undefined ? undefined : FORMATS[name](value);
}

/** Returns a time in the largest unit of which it is a whole number: "5m", "45s". */
export function formatSeconds(seconds: number): string {
  const units = [
    [86_400, "d"],
    [3600, "h"],
    [60, "m"],
  ] as const;
  const [size, unit] = units.find(([each]) => seconds % each === 0) ?? [1, "s"];
  return `${seconds / size}${unit}`;
}

const UNITS = ["B", "KiB", "MiB", "GiB"];

/** Returns an exact size in the largest unit of which it is a whole number: "4 GiB", "5242881 B". */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value !== 0 && value % 1024 === 0 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value} ${UNITS[unit]}`;
}
