import { Buffer } from "node:buffer";
import type { Clock } from "../../../lib/clock.ts";
import { RetryableError } from "../../../lib/errors.ts";
import { assertFits, type OutgoingMessage, type Producer, PublishUnknownError } from "../../bus.ts";
import { type BusMetrics, recordPublish } from "../../metrics.ts";
import { type Publish, PublishQueue } from "../../publish-queue.ts";
import { isBlocked, toPublishError } from "./errors.ts";
import type { PulsarProducer } from "./pulsar-client.ts";

/** What a producer is made of. */
export interface ProducerOptions {
  readonly topic: string;
  readonly maxMessageBytes: number;
  readonly metrics: BusMetrics;
  readonly clock: Clock;
}

/** Most messages that are on their way without a receipt. */
export const MAX_MESSAGES_IN_FLIGHT = 1_000;

/** Most bytes of payload, likewise. At least one message always is. */
const MAX_BYTES_IN_FLIGHT = 16 * 1024 * 1024;

/**
 * Publishes to one topic. Pulsar's client mends its connection, and sends again what has no receipt until its time for
 * sending is over; so a message can be stored twice, and one that fails then may be stored all the same.
 */
export class NativeProducer implements Producer {
  readonly #producer: PulsarProducer;
  readonly #options: ProducerOptions;
  readonly #queue: PublishQueue;
  readonly #closed = new AbortController();
  /** Since when the broker is known to send the topic's producers away. */
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

  /** Throws `RetryableError` while there is no connection. */
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
    this.#queue.failInFlight(() => new PublishUnknownError(`${reason} before the receipt came`));
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
    // Anything but a Buffer would be sent as an empty message.
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
