import { Buffer } from "node:buffer";
import type { Clock } from "../../../lib/clock.ts";
import { RetryableError } from "../../../lib/errors.ts";
import { assertFits, type OutgoingMessage, PublishUnknownError } from "../../bus.ts";
import { type BusMetrics, recordPublish } from "../../metrics.ts";
import { type Publish, PublishQueue } from "../../publish-queue.ts";
import type { PartitionProducer } from "../partitioned-producer.ts";
import { isBlocked, toPublishError } from "./errors.ts";
import type { PulsarProducer } from "./pulsar-client.ts";

export interface ProducerOptions {
  readonly topic: string;
  readonly maxMessageBytes: number;
  readonly metrics: BusMetrics;
  readonly clock: Clock;
}

/** Maximum messages in flight. */
export const MAX_MESSAGES_IN_FLIGHT = 1_000;

/** Maximum payload bytes in flight. If none is in flight, one message of any size is allowed. */
const MAX_BYTES_IN_FLIGHT = 16 * 1024 * 1024;

/**
 * Publishes to one topic. Pulsar's client reconnects, and sends messages without a receipt again until its
 * send timeout. Therefore a message can be stored twice, and a message that fails by the timeout may be
 * stored nevertheless.
 */
export class NativeProducer implements PartitionProducer {
  readonly #producer: PulsarProducer;
  readonly #options: ProducerOptions;
  readonly #queue: PublishQueue;
  readonly #closed = new AbortController();
  /** Monotonic time since which the broker is known to block the topic; undefined if it does not. */
  #blockedSinceMs: number | undefined;

  constructor(producer: PulsarProducer, options: ProducerOptions) {
    this.#producer = producer;
    this.#options = options;
    const limits = { maxMessages: MAX_MESSAGES_IN_FLIGHT, maxBytes: MAX_BYTES_IN_FLIGHT };
    this.#queue = new PublishQueue(limits, options.clock, options.metrics.inFlight);
  }

  async publish(signal: AbortSignal, message: OutgoingMessage): Promise<void> {
    await recordPublish(this.#options, () => this.#publish(signal, message));
  }

  /**
   * Asserts that there is a connection.
   *
   * @throws RetryableError if there is none.
   */
  assertConnected(): void {
    if (!this.#producer.isConnected()) {
      throw new RetryableError(`the producer of ${this.#options.topic} has no connection`);
    }
  }

  async close(): Promise<void> {
    if (this.#closed.signal.aborted) {
      return;
    }
    const reason = `the producer of ${this.#options.topic} is closed`;
    this.#closed.abort(new RetryableError(reason));
    this.#queue.refuseWaiting(reason);
    this.#queue.failInFlight(() => new PublishUnknownError(`${reason} before the receipt arrived`));
    await this.#producer.close();
  }

  async #publish(signal: AbortSignal, message: OutgoingMessage): Promise<void> {
    signal.throwIfAborted();
    this.#closed.signal.throwIfAborted();
    assertFits(message, this.#options.maxMessageBytes);
    const publish = this.#queue.add(message);
    this.#pump();
    await this.#queue.outcomeOf(signal, publish);
  }

  #pump(): void {
    for (let publish = this.#queue.next(); publish !== undefined; publish = this.#queue.next()) {
      void this.#send(publish);
    }
  }

  async #send(publish: Publish): Promise<void> {
    const { key, payload, properties } = publish.message;
    // Pulsar's client sends an empty message for any type except Buffer.
    const data = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
    try {
      await this.#producer.send({ data, partitionKey: key, properties: { ...properties } });
      this.#blockedSinceMs = undefined;
      publish.outcome.resolve();
    } catch (error) {
      const { topic, clock } = this.#options;
      const wasSentWhileBlocked =
        this.#blockedSinceMs !== undefined && publish.sentMs >= this.#blockedSinceMs;
      publish.outcome.reject(toPublishError(error, topic, wasSentWhileBlocked));
      if (isBlocked(error)) {
        this.#blockedSinceMs ??= clock.monotonic();
      }
    }
    this.#queue.take(publish.context);
    this.#pump();
  }
}
