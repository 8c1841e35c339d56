import { createPulsarWebSocketBus } from "../../src/bus/pulsar/websocket/create-pulsar-websocket-bus.ts";
import { TOPICS } from "../../src/event/topics.ts";
import { createSystemClock } from "../../src/lib/clock.ts";
import { createSystemRandom } from "../../src/lib/random.ts";
import { noMetrics } from "../../src/lib/telemetry.ts";
import { describeWithBroker } from "../support/bus/broker.ts";
import { createWebSocketProxy } from "../support/bus/websocket-proxy.ts";
import { createTestLog } from "../support/vitest/test-log.ts";
import { describeBus } from "./bus.ts";

describeWithBroker("Pulsar's WebSocket API", (broker) => {
  describeBus("pulsar-websocket", async () => {
    const { webSocketUrl, adminUrl, tenant } = broker();
    const proxy = await createWebSocketProxy(webSocketUrl);
    const bus = createPulsarWebSocketBus(
      { url: proxy.url, tenant, adminUrl },
      {
        clock: createSystemClock(),
        random: createSystemRandom(),
        log: createTestLog(),
        metrics: noMetrics,
        probeTopic: TOPICS.events,
      },
    );
    return {
      bus,
      cutOff: async (topic, subscription) =>
        proxy.cut(`/consumer/persistent/${tenant}/${topic}/${subscription}?`),
      failNextPublish: (how) => proxy.failNextPublish(how === "refuse" ? "refuse" : "cutBeforeReceipt"),
      async close() {
        await bus.close();
        await proxy[Symbol.asyncDispose]();
      },
    };
  });
});
