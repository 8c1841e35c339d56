import { describePulsarAdmin } from "../../../contract/pulsar-admin.ts";
import { createMemoryPulsarAdmin } from "../../../support/bus/memory-pulsar-admin.ts";

describePulsarAdmin(() => {
  const admin = createMemoryPulsarAdmin({ maxMessageBytes: 1, maxTextFrameBytes: 1, sessionIdleMs: 1 });
  return {
    admin,
    publish: async (topic) => admin.publish(topic),
    setTopicPolicies: async (topic, policies) => admin.setTopicPolicies(topic, policies),
  };
});
