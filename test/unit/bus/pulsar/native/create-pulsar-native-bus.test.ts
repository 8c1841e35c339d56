import { expect, it } from "vitest";
import { createPulsarNativeBus } from "../../../../../src/bus/pulsar/native/create-pulsar-native-bus.ts";
import { toPartition } from "../../../../../src/bus/pulsar/partitioned-producer.ts";
import { RetryableError } from "../../../../../src/lib/errors.ts";
import { busDependencies } from "../../../../support/bus/bus-dependencies.ts";
import { createMemoryPulsarClient } from "../../../../support/bus/memory-pulsar-client.ts";

const { signal } = new AbortController();

/** Creates a bus on a broker whose topic has these partitions, and the topics of its producers. */
function createBus(countPartitions: (topic: string) => Promise<readonly string[]>) {
  const opened: string[] = [];
  const memory = createMemoryPulsarClient();
  class Client extends memory.Client {
    override getPartitionsForTopic = countPartitions;

    override async createProducer(
      config: Parameters<InstanceType<typeof memory.Client>["createProducer"]>[0],
    ) {
      opened.push(config.topic);
      return await super.createProducer(config);
    }
  }
  const settings = { url: "pulsar://127.0.0.1:6650", tenant: "evenkeel" };
  const bus = createPulsarNativeBus(settings, busDependencies, { ...memory, Client });
  return { bus, opened };
}

it("a partitioned topic has a producer for each partition that is used (L31)", async () => {
  const { bus, opened } = createBus(async (topic) => [0, 1, 2, 3].map((at) => `${topic}-partition-${at}`));
  const producer = await bus.createProducer(signal, "main/events");
  expect(opened).toEqual([]);
  await producer.publish(signal, { key: "k", payload: new Uint8Array() });
  await producer.publish(signal, { key: "k", payload: new Uint8Array() });
  expect(opened).toEqual([`persistent://evenkeel/main/events-partition-${toPartition("k", 4)}`]);
  await bus.close();
});

it("another topic has one producer, which is opened at once", async () => {
  const { bus, opened } = createBus(async (topic) => [topic]);
  await bus.createProducer(signal, "replies/1");
  expect(opened).toEqual(["persistent://evenkeel/replies/1"]);
  await bus.close();
});

it("a broker that does not answer is named, and can be tried again", async () => {
  const { bus } = createBus(() => Promise.reject(new Error("Failed to get partitions: ConnectError")));
  await expect(bus.createProducer(signal, "main/events")).rejects.toThrow(RetryableError);
  await bus.close();
});
