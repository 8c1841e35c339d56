import { Buffer } from "node:buffer";
import { sleepUnlessAborted } from "../../../lib/abort.ts";
import { RetryableError, TerminalError, toMessage } from "../../../lib/errors.ts";
import { assertFits, type OutgoingMessage, PublishRefusedError, PublishUnknownError } from "../../bus.ts";
import { type BusMetrics, recordPublish } from "../../metrics.ts";
import { type Publish, PublishQueue } from "../../publish-queue.ts";
import type { BusOptions } from "../../settings.ts";
import type { PartitionProducer } from "../partitioned-producer.ts";
import type { Connection } from "./connection.ts";
import { SEND_TIMEOUT_MS } from "./endpoint-url.ts";
import {
  assertFrameFits,
  MalformedFrameError,
  parseReceipt,
  type Receipt,
  toMaxFrameBytes,
  toPublishFrame,
} from "./frames.ts";
import { HandshakeRefusedError } from "./handshake-refusal.ts";
import { Reconnector } from "./reconnect.ts";
import { toLossError, toSendError } from "./send-error.ts";

export interface ProducerOptions extends Omit<BusOptions, "metrics" | "probeTopic"> {
  readonly topic: string;
  readonly maxMessageBytes: number;
  readonly metrics: BusMetrics;
  /** Opens a connection to the topic. */
  readonly dial: (signal: AbortSignal) => Promise<Connection>;
}

/** Limits of the messages in flight. */
const WINDOW = { maxMessages: 1_000, maxBytes: 16 * 1024 * 1024 };

/** Time limit of a receipt, in milliseconds: longer than the broker's own limit. */
const RECEIPT_TIMEOUT_MS = SEND_TIMEOUT_MS + 10_000;

/** Time that a publish waits for a connection, in milliseconds: sufficient for the restart of a broker. */
const WAIT_TIMEOUT_MS = 30_000;

const CHECK_INTERVAL_MS = 1_000;

/**
 * Publishes to one topic, and reconnects each time its connection is lost.
 *
 * The outcome of a message in flight is unknown after a loss, and the message is not sent again. Waiting
 * messages are sent over the next connection, in their order. So a message can be stored although an earlier
 * one was not: a caller that must not have gaps stops at the first failure, as the backend's publish window
 * does. A receipt that is late counts as a lost connection. A message that cannot be sent in time is refused;
 * while the broker refuses the topic's producers, every message is refused at once.
 */
export class WebSocketProducer implements PartitionProducer {
  readonly #options: ProducerOptions;
  readonly #queue: PublishQueue;
  readonly #closed = new AbortController();
  readonly #running: Promise<unknown>;
  #connection: Connection | undefined;
  /** Monotonic time and reason of the last loss, for the time without a connection. */
  #lost: { readonly sinceMs: number; readonly reason: string };
  /** The broker's reason to refuse the topic's producers; undefined if it does not. */
  #refusal: string | undefined;

  /** Without a first connection it opens one. */
  constructor(first: Connection | undefined, options: ProducerOptions) {
    this.#options = options;
    this.#lost = { sinceMs: options.clock.monotonic(), reason: "no connection yet" };
    this.#queue = new PublishQueue(WINDOW, options.clock, options.metrics.inFlight);
    this.#running = Promise.all([this.#run(first), this.#watchTimes()]);
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
    if (this.#connection === undefined) {
      throw new RetryableError(this.#lost.reason);
    }
  }

  async close(): Promise<void> {
    const reason = `the producer of ${this.#options.topic} is closed`;
    this.#closed.abort(new RetryableError(reason));
    this.#queue.refuseWaiting(reason);
    await this.#connection?.close();
    await this.#running;
    this.#queue.failInFlight(() => new PublishUnknownError(`${reason} before the receipt arrived`));
  }

  async #publish(signal: AbortSignal, message: OutgoingMessage): Promise<void> {
    signal.throwIfAborted();
    this.#closed.signal.throwIfAborted();
    assertFits(message, this.#options.maxMessageBytes);
    if (this.#refusal !== undefined) {
      throw new PublishRefusedError(this.#refusal);
    }
    const publish = this.#queue.add(message);
    this.#pump();
    await this.#queue.outcomeOf(signal, publish);
  }

  async #run(first: Connection | undefined): Promise<void> {
    const { clock, random, dial, log, topic, metrics } = this.#options;
    const { signal } = this.#closed;
    const onFailure = (error: unknown): void => this.#failToConnect(error);
    const reconnector = new Reconnector({ clock, random, dial, onFailure });
    let connection = first ?? (await reconnector.next(signal));
    while (connection !== undefined) {
      const loss = await this.#serve(connection);
      if (signal.aborted) {
        return;
      }
      log.warn("producer connection lost", { topic, error: toMessage(loss) });
      this.#queue.failInFlight((publish) => toLossError(loss, topic, publish));
      connection = await reconnector.next(signal);
      if (connection !== undefined) {
        metrics.reconnected(topic);
        log.info("producer connection restored", { topic });
      }
    }
  }

  /** Publishes over the connection until it is lost, and returns the reason. */
  async #serve(connection: Connection): Promise<unknown> {
    this.#connection = connection;
    this.#refusal = undefined;
    this.#pump();
    try {
      for await (const text of connection.texts()) {
        this.#takeReceipt(parseReceipt(text));
        this.#pump();
      }
      return undefined;
    } catch (error) {
      connection.drop(toMessage(error));
      this.#lost = { sinceMs: this.#options.clock.monotonic(), reason: toMessage(error) };
      return error;
    } finally {
      this.#connection = undefined;
    }
  }

  #pump(): void {
    const connection = this.#connection;
    if (connection !== undefined) {
      for (let publish = this.#queue.next(); publish !== undefined; publish = this.#queue.next()) {
        this.#send(connection, publish);
      }
    }
  }

  #send(connection: Connection, publish: Publish): void {
    const { message, context } = publish;
    const frame = toPublishFrame(message, context);
    publish.frameBytes = Buffer.byteLength(frame);
    try {
      const maxFrameBytes = toMaxFrameBytes(this.#options.maxMessageBytes);
      assertFrameFits(publish.frameBytes, message.payload.byteLength, maxFrameBytes);
    } catch (error) {
      this.#queue.take(context)?.outcome.reject(error);
      return;
    }
    connection.send(frame);
  }

  #takeReceipt(receipt: Receipt): void {
    const { topic } = this.#options;
    const publish = receipt.context === undefined ? undefined : this.#queue.take(receipt.context);
    if (publish === undefined) {
      const found =
        receipt.type === "failed"
          ? `one of an unknown publish: ${receipt.reason}`
          : "one of an unknown publish";
      throw new MalformedFrameError("a receipt", found);
    }
    if (receipt.type === "stored") {
      publish.outcome.resolve();
      return;
    }
    const { error, isEnd } = toSendError(receipt, topic);
    publish.outcome.reject(error);
    if (isEnd) {
      this.#refuse(receipt.reason);
      throw error;
    }
  }

  /**
   * Records a failed attempt to connect. Refuses the waiting publishes only if the broker refuses the
   * producer.
   */
  #failToConnect(error: unknown): void {
    const { log, topic } = this.#options;
    const reason = toMessage(error);
    this.#lost = { ...this.#lost, reason };
    log.debug("producer connection failed", { topic, error: reason });
    const isPassing =
      error instanceof HandshakeRefusedError ? error.isPassing : !(error instanceof TerminalError);
    if (!isPassing) {
      this.#refuse(reason);
    }
  }

  #refuse(reason: string): void {
    this.#refusal = `not sent to ${this.#options.topic}: ${reason}`;
    this.#queue.refuseWaiting(this.#refusal);
  }

  async #watchTimes(): Promise<void> {
    const { clock, topic } = this.#options;
    const { signal } = this.#closed;
    while (!signal.aborted) {
      await sleepUnlessAborted(signal, clock, CHECK_INTERVAL_MS);
      const nowMs = clock.monotonic();
      const { sinceMs, reason } = this.#lost;
      if (this.#connection === undefined && nowMs - sinceMs > WAIT_TIMEOUT_MS) {
        const text = `not sent to ${topic} within ${WAIT_TIMEOUT_MS} ms: ${reason}`;
        this.#queue.refuseWaiting(text, nowMs - WAIT_TIMEOUT_MS);
      }
      if (nowMs - (this.#queue.oldestSentMs ?? nowMs) > RECEIPT_TIMEOUT_MS) {
        this.#connection?.drop(`no receipt within ${RECEIPT_TIMEOUT_MS} ms`);
      }
    }
  }
}
