import { createPulsarNativeBus } from "../../src/bus/pulsar/native/create-pulsar-native-bus.ts";
import { busDependencies } from "../support/bus/bus-dependencies.ts";
import { createFaultyPulsarClient } from "../support/bus/faulty-pulsar-client.ts";
import { createMemoryPulsarClient } from "../support/bus/memory-pulsar-client.ts";
import { describeBus } from "./bus.ts";

describeBus("pulsar-native over a client in memory", async () => {
  const { pulsar, cutOff, failNextSend } = createFaultyPulsarClient(createMemoryPulsarClient());
  const settings = { url: "pulsar://127.0.0.1:6650", tenant: "evenkeel" };
  const bus = createPulsarNativeBus(settings, busDependencies, pulsar);
  return { bus, cutOff, failNextPublish: failNextSend, close: () => bus.close() };
});
