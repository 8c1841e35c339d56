import { sleepUnlessAborted, waitFor } from "../../../lib/abort.ts";
import type { Clock } from "../../../lib/clock.ts";
import { Condition } from "../../../lib/condition.ts";
import { RetryableError, toMessage } from "../../../lib/errors.ts";
import type { Consumer, Delivery, SubscribeOptions } from "../../bus.ts";
import type { PulsarConsumer, PulsarMessage, PulsarMessageId } from "./pulsar-client.ts";

/**
 * Time between two checks of the connection, in milliseconds; less than Pulsar's client takes to reconnect.
 */
const CHECK_INTERVAL_MS = 50;

/**
 * One member of a subscription. Pulsar's client reconnects without a notification. Then the unacknowledged
 * messages of this consumer are delivered again, possibly to another one. Therefore this class checks the
 * connection, and also detects an unacknowledged message that arrives again. In both cases it treats itself
 * as cut off.
 *
 * Besides the unacknowledged messages, Pulsar's client holds the prefetched ones, at least one message of
 * each partition. It sends an acknowledgement within 100 ms, or when the consumer is closed.
 */
export class NativeConsumer implements Consumer {
  readonly #consumer: PulsarConsumer;
  readonly #options: SubscribeOptions;
  readonly #onCutOff: () => void;
  /** IDs of the messages that were yielded and not acknowledged. */
  readonly #unacknowledged = new Set<string>();
  /** Aborts when this consumer leaves or is cut off. */
  readonly #ended = new AbortController();
  readonly #watching: Promise<void>;
  #cutOff: RetryableError | undefined;
  #closing: Promise<unknown> | undefined;
  #next: Promise<PulsarMessage> | undefined;
  readonly #acknowledged = new Condition();

  constructor(consumer: PulsarConsumer, options: SubscribeOptions, clock: Clock, onCutOff: () => void) {
    this.#consumer = consumer;
    this.#options = options;
    this.#onCutOff = onCutOff;
    this.#watching = this.#watch(clock);
  }

  async *deliveries(signal: AbortSignal): AsyncGenerator<Delivery, void, undefined> {
    const either = AbortSignal.any([signal, this.#ended.signal]);
    for (;;) {
      const message = await this.#receive(signal, either);
      if (message === undefined) {
        break;
      }
      yield this.#toDelivery(message);
    }
    if (this.#cutOff !== undefined) {
      throw this.#cutOff;
    }
  }

  async close(): Promise<void> {
    this.#end();
    await this.#closing;
    await this.#watching;
  }

  /** Returns the next message; undefined when this consumer has ended. */
  async #receive(signal: AbortSignal, either: AbortSignal): Promise<PulsarMessage | undefined> {
    try {
      either.throwIfAborted();
      await this.#acknowledged.waitUntil(
        either,
        () => this.#unacknowledged.size < this.#options.maxUnacknowledged,
      );
      // If this call is aborted, the next one must receive the message.
      this.#next ??= this.#consumer.receive();
      const message = await waitFor(either, this.#next);
      this.#next = undefined;
      if (!this.#unacknowledged.has(toMessageId(message.getMessageId()))) {
        return message;
      }
      this.#cut("an unacknowledged message was delivered again");
    } catch (error) {
      signal.throwIfAborted();
      if (!this.#ended.signal.aborted) {
        this.#cut(toMessage(error));
      }
    }
    return undefined;
  }

  #toDelivery(message: PulsarMessage): Delivery {
    const id = message.getMessageId();
    const messageId = toMessageId(id);
    this.#unacknowledged.add(messageId);
    return {
      key: message.getPartitionKey(),
      payload: message.getData(),
      properties: { ...message.getProperties() },
      redeliveryCount: message.getRedeliveryCount(),
      messageId,
      acknowledge: () => this.#acknowledge(id, messageId),
      redeliver: async () => {
        if (!this.#ended.signal.aborted && this.#unacknowledged.delete(messageId)) {
          this.#consumer.negativeAcknowledgeId(id);
          this.#acknowledged.notifyAll();
        }
      },
    };
  }

  async #acknowledge(id: PulsarMessageId, messageId: string): Promise<void> {
    if (this.#ended.signal.aborted || !this.#unacknowledged.has(messageId)) {
      return;
    }
    try {
      await this.#consumer.acknowledgeId(id);
    } catch (error) {
      if (!this.#ended.signal.aborted) {
        this.#cut(toMessage(error));
      }
      return;
    }
    this.#unacknowledged.delete(messageId);
    this.#acknowledged.notifyAll();
  }

  async #watch(clock: Clock): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted) {
      await sleepUnlessAborted(signal, clock, CHECK_INTERVAL_MS);
      if (!signal.aborted && !this.#consumer.isConnected()) {
        this.#cut("its connection is lost");
      }
    }
  }

  #cut(reason: string): void {
    const { topic, subscription } = this.#options;
    this.#cutOff = new RetryableError(`the consumer of ${subscription} on ${topic} was cut off: ${reason}`);
    this.#end();
    this.#onCutOff();
  }

  #end(): void {
    this.#ended.abort();
    // The consumer may be closed already, for example with its client.
    this.#closing ??= this.#consumer.close().catch(() => {});
  }
}

/** Returns "ledger:entry", or "ledger:entry:partition" for a partitioned topic. */
function toMessageId(id: PulsarMessageId): string {
  const [ledger, entry, partition] = id.toString().replace(/[()]/g, "").split(",");
  return partition === "-1" ? `${ledger}:${entry}` : `${ledger}:${entry}:${partition}`;
}
