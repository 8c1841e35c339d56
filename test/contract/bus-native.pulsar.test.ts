import { describe, expect, it } from "vitest";
import { openBus } from "../../src/bus/open-bus.ts";
import { createPulsarNativeBus } from "../../src/bus/pulsar-native/create-pulsar-native-bus.ts";
import { loadPulsarClient } from "../../src/bus/pulsar-native/load-pulsar-client.ts";
import { ConfigError } from "../../src/lib/errors.ts";
import { noMetrics } from "../../src/lib/metrics.ts";
import { createSilentLog } from "../../src/lib/silent-log.ts";
import { createSystemClock } from "../../src/lib/system-clock.ts";
import { createSystemRandom } from "../../src/lib/system-random.ts";
import { describeWithBroker } from "../support/broker.ts";
import { createFaultyPulsarClient } from "../support/faulty-pulsar-client.ts";
import { describeBus } from "./bus.ts";

const dependencies = {
  clock: createSystemClock(),
  random: createSystemRandom(),
  log: createSilentLog(),
  metrics: noMetrics,
};
const loaded = await loadPulsarClient().catch((error: unknown) => error);

if (loaded instanceof Error) {
  // Not skipped: where the native part cannot be had, saying so is what is expected.
  describe("Pulsar's own client, which cannot be loaded here", () => {
    it("is refused with what to do about it, and what else there is", async ({ task }) => {
      const opened = openBus({ url: "pulsar://127.0.0.1:6650", tenant: "evenkeel" }, dependencies);
      await expect(opened).rejects.toThrow(ConfigError);
      await expect(opened).rejects.toThrow(/npm run install.*ws:\/\//s);
      task.meta.note =
        "the bus's contract was not tried on pulsar-native, because the native part of pulsar-client is not installed";
    });
  });
} else {
  const real = loaded as Awaited<ReturnType<typeof loadPulsarClient>>;
  describeWithBroker("Pulsar's own client", (broker) => {
    describeBus("pulsar-native", async () => {
      const { serviceUrl, tenant } = broker();
      const faulty = createFaultyPulsarClient(real);
      const bus = createPulsarNativeBus({ url: serviceUrl, tenant }, dependencies, faulty.pulsar);
      return {
        bus,
        cutOff: faulty.cutOff,
        failNextPublish: faulty.failNextSend,
        close: () => bus.close(),
      };
    });
  });
}
