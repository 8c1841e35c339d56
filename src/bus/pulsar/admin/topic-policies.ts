import type { Clock } from "../../../lib/clock.ts";
import { RetryableError } from "../../../lib/errors.ts";
import { type AdminTransport, readJson } from "./http-transport.ts";
import type { TopicPolicies } from "./policies.ts";
import { topicQuotasJson, topicTtlJson, toTopicPolicies } from "./policy-json.ts";
import { TOPIC_POLICY_PATHS } from "./policy-request.ts";
import type { PulsarAdmin } from "./pulsar-admin.ts";

/** Interval and time limit of polling a changed policy, in milliseconds. */
const SETTLE_INTERVAL_MS = 50;
const SETTLE_TIMEOUT_MS = 10_000;

/**
 * Creates the part of {@link PulsarAdmin} for the policies of topics. A broker changes a policy in its copy
 * of all policies. Until it has received its own change, the next change would undo it. Therefore each change
 * waits until the broker returns it.
 */
export function createTopicPolicies(
  transport: AdminTransport,
  clock: Clock,
  topicPath: (topic: string) => string,
): Pick<PulsarAdmin, "readTopicPolicies" | "setTopicMessageTtl" | "removeTopicPolicy"> {
  const readTopicPolicies = async (signal: AbortSignal, topic: string): Promise<TopicPolicies> => {
    const ttl = await readJson(signal, transport, topicTtlJson, { path: `${topicPath(topic)}/messageTTL` });
    const path = `${topicPath(topic)}/backlogQuotaMap`;
    return toTopicPolicies(ttl, await readJson(signal, transport, topicQuotasJson, { path }));
  };

  const waitUntilVisible = async (
    signal: AbortSignal,
    topic: string,
    isSettled: (policies: TopicPolicies) => boolean,
  ): Promise<void> => {
    const end = clock.monotonic() + SETTLE_TIMEOUT_MS;
    while (!isSettled(await readTopicPolicies(signal, topic))) {
      if (clock.monotonic() > end) {
        throw new RetryableError(
          `the topic ${topic} does not return the changed policy after ${SETTLE_TIMEOUT_MS / 1000} s`,
        );
      }
      await clock.sleep(signal, SETTLE_INTERVAL_MS);
    }
  };

  return {
    readTopicPolicies,

    async setTopicMessageTtl(signal, topic, seconds) {
      const query = { messageTTL: String(seconds) };
      await transport.send(signal, { method: "POST", path: `${topicPath(topic)}/messageTTL`, query });
      await waitUntilVisible(signal, topic, ({ messageTtlSeconds }) => messageTtlSeconds === seconds);
    },

    async removeTopicPolicy(signal, topic, policy) {
      const { path, ...request } = TOPIC_POLICY_PATHS[policy];
      await transport.send(signal, { method: "DELETE", path: `${topicPath(topic)}/${path}`, ...request });
      await waitUntilVisible(signal, topic, (policies) => policies[policy] === undefined);
    },
  };
}
