import type { Clock } from "../../../lib/clock.ts";
import { RetryableError } from "../../../lib/errors.ts";
import type { TopicPolicies } from "./policies.ts";
import { topicQuotasJson, topicTtlJson, toTopicPolicies } from "./policy-json.ts";
import { TOPIC_POLICY_PATHS } from "./policy-request.ts";
import type { PulsarAdmin } from "./pulsar-admin.ts";
import { readJson } from "./read-json.ts";
import type { AdminTransport } from "./transport.ts";

/** How often, and how long, a policy is looked for after it was changed. */
const SETTLE_INTERVAL_MS = 50;
const SETTLE_TIMEOUT_MS = 10_000;

/**
 * The part of {@link PulsarAdmin} about topics' own policies. A broker changes a policy in its copy of them all, and until
 * it has seen its own change come back, the next one would undo it: so each change waits until it is read.
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
          `the topic ${topic} does not show a policy that was changed ${SETTLE_TIMEOUT_MS / 1000} s ago`,
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
