import murmurhash from "murmurhash";
import { waitFor } from "../../lib/abort.ts";
import { toMessage } from "../../lib/errors.ts";
import { type OutgoingMessage, type Producer, PublishRefusedError } from "../bus.ts";

/** The producer of one partition. */
export interface PartitionProducer extends Producer {
  /**
   * Asserts that there is a connection.
   *
   * @throws RetryableError if there is none.
   */
  assertConnected(): void;
}

export interface PartitionedProducerOptions {
  readonly topic: string;
  /** Number of partitions, at least 1. */
  readonly partitions: number;
  /** Opens a producer of the topic of one partition. */
  readonly open: (topic: string) => Promise<PartitionProducer>;
}

/**
 * Publishes to a partitioned topic by a producer for each partition, which is opened for its first message. Pulsar's
 * own partitioned producers fail as a whole if one partition does: while one is above its quota, no message of any key
 * would be stored, and no new producer could be opened. Here each partition fails for its own keys only.
 *
 * The number of partitions is that at the opening. If it is increased later, the messages of a key may be in two
 * partitions until all producers are opened again.
 */
export class PartitionedProducer implements PartitionProducer {
  readonly #options: PartitionedProducerOptions;
  readonly #opening = new Map<number, Promise<PartitionProducer>>();
  readonly #open = new Set<PartitionProducer>();

  constructor(options: PartitionedProducerOptions) {
    this.#options = options;
  }

  async publish(signal: AbortSignal, message: OutgoingMessage): Promise<void> {
    // All publishes of a partition wait for one promise, so they go on in the order of the calls.
    const partition = toPartition(message.key, this.#options.partitions);
    const producer = await waitFor(signal, this.#producerOf(partition));
    await producer.publish(signal, message);
  }

  /** Asserts that a partition has a connection, unless none was used yet: the others accept messages. */
  assertConnected(): void {
    const problems: unknown[] = [];
    for (const producer of this.#open) {
      try {
        producer.assertConnected();
        return;
      } catch (error) {
        problems.push(error);
      }
    }
    if (problems.length > 0) {
      throw problems[0];
    }
  }

  async close(): Promise<void> {
    const opening = [...this.#opening.values()];
    await Promise.allSettled(opening.map(async (producer) => await (await producer).close()));
  }

  #producerOf(partition: number): Promise<PartitionProducer> {
    const known = this.#opening.get(partition);
    if (known !== undefined) {
      return known;
    }
    const opening = this.#openPartition(partition);
    this.#opening.set(partition, opening);
    return opening;
  }

  async #openPartition(partition: number): Promise<PartitionProducer> {
    const topic = `${this.#options.topic}-partition-${partition}`;
    try {
      const producer = await this.#options.open(topic);
      this.#open.add(producer);
      return producer;
    } catch (cause) {
      this.#opening.delete(partition);
      throw new PublishRefusedError(`not sent to ${topic}: ${toMessage(cause)}`, { cause });
    }
  }
}

/** Returns the partition of a key, as Pulsar's clients select it with the hash `Murmur3_32Hash`. */
export function toPartition(key: string, partitions: number): number {
  return (murmurhash.v3(key) & 0x7fff_ffff) % partitions;
}
