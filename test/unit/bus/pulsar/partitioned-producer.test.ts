import { describe, expect, it } from "vitest";
import { PublishRefusedError } from "../../../../src/bus/bus.ts";
import {
  PartitionedProducer,
  type PartitionProducer,
  toPartition,
} from "../../../../src/bus/pulsar/partitioned-producer.ts";
import { RetryableError } from "../../../../src/lib/errors.ts";

const { signal } = new AbortController();
const PARTITIONS = 4;
const keys = Array.from({ length: 40 }, (_, index) => `key-${index}`);
const keyOf = (partition: number): string =>
  keys.find((key) => toPartition(key, PARTITIONS) === partition) ?? "";

/** A producer of four partitions, and what each of them does. */
function createPartitions() {
  const published: string[] = [];
  const openings: string[] = [];
  const state = { open: async () => {}, isConnected: (_topic: string) => true };
  const closed: string[] = [];
  const producer = new PartitionedProducer({
    topic: "main/events",
    partitions: PARTITIONS,
    async open(topic): Promise<PartitionProducer> {
      openings.push(topic);
      await state.open();
      return {
        publish: async (_, { key, payload }) => void published.push(`${topic} ${key} ${payload.length}`),
        assertConnected() {
          if (!state.isConnected(topic)) {
            throw new RetryableError(`${topic} is lost`);
          }
        },
        close: async () => void closed.push(topic),
      };
    },
  });
  const publish = (key: string, bytes = 0): Promise<void> =>
    producer.publish(signal, { key, payload: new Uint8Array(bytes) });
  return { producer, publish, published, openings, closed, state };
}

describe("a producer of a partitioned topic (L31)", () => {
  it.each([
    ["k1", 2_110_152_746],
    ["k2", 1_479_966_664],
    ["key1", 462_881_061],
    ["key02", 751_761_803],
  ])("selects the partition of %s as Pulsar's clients do", (key, hash) => {
    expect(toPartition(key, 0x7fff_ffff)).toBe(hash);
    expect(toPartition(key, 16)).toBe(hash % 16);
  });

  it("opens each partition for its first message, and publishes the messages of a key in their order", async () => {
    const { publish, published, openings } = createPartitions();
    await Promise.all([1, 2, 3].map((bytes) => publish(keyOf(2), bytes)));
    expect(openings).toEqual(["main/events-partition-2"]);
    expect(published).toEqual([1, 2, 3].map((bytes) => `main/events-partition-2 ${keyOf(2)} ${bytes}`));
    await publish(keyOf(0));
    expect(openings).toEqual(["main/events-partition-2", "main/events-partition-0"]);
  });

  it("refuses the messages of a partition that cannot be opened, and tries again for the next one", async () => {
    const { publish, published, state } = createPartitions();
    state.open = () => Promise.reject(new RetryableError("no bookie"));
    const failed = await Promise.allSettled([publish(keyOf(1)), publish(keyOf(1))]);
    for (const { reason } of failed as PromiseRejectedResult[]) {
      expect(reason).toBeInstanceOf(PublishRefusedError);
      expect(reason).toMatchObject({ message: "not sent to main/events-partition-1: no bookie" });
    }
    state.open = async () => {};
    await publish(keyOf(1));
    expect(published).toHaveLength(1);
  });

  it("ends the wait of a caller that gives up, and of no other", async () => {
    const { producer, publish, published, state } = createPartitions();
    const opened = Promise.withResolvers<void>();
    state.open = () => opened.promise;
    const impatient = AbortSignal.abort(new Error("gave up"));
    const key = keyOf(3);
    await expect(producer.publish(impatient, { key, payload: new Uint8Array() })).rejects.toThrow("gave up");
    const patient = publish(key);
    opened.resolve();
    await patient;
    expect(published).toHaveLength(1);
  });

  it("is connected as long as one partition is", async () => {
    const { producer, publish, state } = createPartitions();
    producer.assertConnected();
    await publish(keyOf(0));
    await publish(keyOf(1));
    state.isConnected = (topic) => topic.endsWith("-1");
    producer.assertConnected();
    state.isConnected = () => false;
    expect(() => producer.assertConnected()).toThrow("main/events-partition-0 is lost");
  });

  it("closes the partitions that it opened", async () => {
    const { producer, publish, closed } = createPartitions();
    await publish(keyOf(1));
    await producer.close();
    expect(closed).toEqual(["main/events-partition-1"]);
  });
});
