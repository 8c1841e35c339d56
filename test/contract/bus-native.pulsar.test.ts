import { createPulsarNativeBus } from "../../src/bus/pulsar/native/create-pulsar-native-bus.ts";
import { describeWithBroker } from "../support/bus/broker.ts";
import { busDependencies } from "../support/bus/bus-dependencies.ts";
import { createFaultyPulsarClient } from "../support/bus/faulty-pulsar-client.ts";
import { describeWithPulsarClient } from "../support/bus/pulsar-client.ts";
import { describeBus } from "./bus.ts";

describeWithPulsarClient("the bus's contract on pulsar-native", (real) => {
  describeWithBroker("Pulsar's own client", (broker) => {
    describeBus("pulsar-native", async () => {
      const { serviceUrl, tenant } = broker();
      const { pulsar, cutOff, failNextSend } = createFaultyPulsarClient(real);
      const bus = createPulsarNativeBus({ url: serviceUrl, tenant }, busDependencies, pulsar);
      return { bus, cutOff, failNextPublish: failNextSend, close: () => bus.close() };
    });
  });
});
