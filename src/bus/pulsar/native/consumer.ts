import { sleepUnlessAborted, waitFor } from "../../../lib/abort.ts";
import type { Clock } from "../../../lib/clock.ts";
import { Condition } from "../../../lib/condition.ts";
import { RetryableError, toMessage } from "../../../lib/errors.ts";
import type { Consumer, Delivery, SubscribeOptions } from "../../bus.ts";
import type { PulsarConsumer, PulsarMessage, PulsarMessageId } from "./pulsar-client.ts";

/** How often the connection is looked at, in milliseconds: Pulsar's client mends it, but not within this. */
const CHECK_INTERVAL_MS = 50;

/**
 * One member of a subscription. Pulsar's client connects again by itself and tells nobody; but then what is held here is
 * delivered again, perhaps to another consumer. So this looks whether the connection is there, and whether something
 * comes again that it holds: either way it is cut off.
 *
 * Besides what is held and not acknowledged, Pulsar's client keeps as much ready as may be prefetched, or one message of
 * each partition. An acknowledgement is on its way within 100 ms, or when the consumer is closed.
 */
export class NativeConsumer implements Consumer {
  readonly #consumer: PulsarConsumer;
  readonly #options: SubscribeOptions;
  readonly #onCutOff: () => void;
  /** Positions of what was handed out and not acknowledged. */
  readonly #unacknowledged = new Set<string>();
  /** Aborts when this consumer has left or was cut off. */
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

  /** The next message that is not held; undefined once this consumer has ended. */
  async #receive(signal: AbortSignal, either: AbortSignal): Promise<PulsarMessage | undefined> {
    try {
      either.throwIfAborted();
      await this.#acknowledged.waitUntil(
        either,
        () => this.#unacknowledged.size < this.#options.maxUnacknowledged,
      );
      // Who gives up waiting leaves it to who waits next.
      this.#next ??= this.#consumer.receive();
      const message = await waitFor(either, this.#next);
      this.#next = undefined;
      if (!this.#unacknowledged.has(toMessageId(message.getMessageId()))) {
        return message;
      }
      this.#cut("what it holds was delivered again");
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
    // It may be closed already, as by the end of its client.
    this.#closing ??= this.#consumer.close().catch(() => {});
  }
}

/** "ledger:entry", and the partition where there is one. */
function toMessageId(id: PulsarMessageId): string {
  const [ledger, entry, partition] = id.toString().replace(/[()]/g, "").split(",");
  return partition === "-1" ? `${ledger}:${entry}` : `${ledger}:${entry}:${partition}`;
}
