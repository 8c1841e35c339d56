import { Buffer } from "node:buffer";
import { sleepUnlessAborted } from "../../../lib/abort.ts";
import { RetryableError, TerminalError, toMessage } from "../../../lib/errors.ts";
import {
  assertFits,
  type OutgoingMessage,
  type Producer,
  PublishRefusedError,
  PublishUnknownError,
} from "../../bus.ts";
import { type BusMetrics, recordPublish } from "../../metrics.ts";
import { type Publish, PublishQueue } from "../../publish-queue.ts";
import type { BusOptions } from "../../settings.ts";
import type { Connection } from "./connection.ts";
import { SEND_TIMEOUT_MS } from "./endpoint-url.ts";
import { assertFrameFits, toMaxFrameBytes } from "./frame-limit.ts";
import { MalformedFrameError, parseReceipt, type Receipt, toPublishFrame } from "./frames.ts";
import { HandshakeRefusedError } from "./handshake-refusal.ts";
import { Reconnector } from "./reconnect.ts";
import { toLossError, toSendError } from "./send-error.ts";

/** What a producer is made of. */
export interface ProducerOptions extends Omit<BusOptions, "metrics" | "probeTopic"> {
  readonly topic: string;
  readonly maxMessageBytes: number;
  readonly metrics: BusMetrics;
  /** Opens a connection to the topic. */
  readonly dial: (signal: AbortSignal) => Promise<Connection>;
}

/** Most that is on its way without a receipt. */
const WINDOW = { maxMessages: 1_000, maxBytes: 16 * 1024 * 1024 };

/** How long a receipt may take, in milliseconds: a little more than the broker gives itself. */
const RECEIPT_TIMEOUT_MS = SEND_TIMEOUT_MS + 10_000;

/** How long a publish waits for a connection, in milliseconds: a broker that restarts is back by then. */
const WAIT_TIMEOUT_MS = 30_000;

const CHECK_INTERVAL_MS = 1_000;

/**
 * Publishes to one topic, over a connection that it makes again whenever it is lost.
 *
 * What had been sent when it was lost is unknown, and is not sent again; what had not goes over the next connection,
 * in its order. So a message can be stored although one before it was not: whoever may not have gaps stops at the
 * first failure, as the backend's publish window does. A receipt that does not come in time counts as a connection
 * that is lost. What cannot be sent in time is refused, and at once while the broker has said that it will not have it.
 */
export class WebSocketProducer implements Producer {
  readonly #options: ProducerOptions;
  readonly #queue: PublishQueue;
  readonly #closed = new AbortController();
  readonly #running: Promise<unknown>;
  #connection: Connection | undefined;
  /** While there is no connection: since when, and why. */
  #lost = { sinceMs: 0, reason: "" };
  /** Why the broker will not have the topic's producers, if it has said so. */
  #keptOutBecause: string | undefined;

  constructor(first: Connection, options: ProducerOptions) {
    this.#options = options;
    this.#queue = new PublishQueue(WINDOW, options.clock, options.metrics.inFlight);
    this.#running = Promise.all([this.#run(first), this.#watchTimes()]);
  }

  async publish(signal: AbortSignal, message: OutgoingMessage): Promise<void> {
    await recordPublish(this.#options, () => this.#publish(signal, message));
  }

  /** Throws `RetryableError` while there is no connection. */
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
    this.#queue.failInFlight(() => new PublishUnknownError(`${reason} before the receipt came`));
  }

  async #publish(signal: AbortSignal, message: OutgoingMessage): Promise<void> {
    signal.throwIfAborted();
    this.#closed.signal.throwIfAborted();
    assertFits(message, this.#options.maxMessageBytes);
    if (this.#keptOutBecause !== undefined) {
      throw new PublishRefusedError(this.#keptOutBecause);
    }
    const publish = this.#queue.add(message);
    this.#pump();
    await this.#queue.outcomeOf(signal, publish);
  }

  async #run(first: Connection): Promise<void> {
    const { clock, random, dial, log, topic, metrics } = this.#options;
    const { signal } = this.#closed;
    const onFailure = (error: unknown): void => this.#failToConnect(error);
    const reconnector = new Reconnector({ clock, random, dial, onFailure });
    let connection: Connection | undefined = first;
    while (connection !== undefined) {
      const loss = await this.#serve(connection);
      if (signal.aborted) {
        return;
      }
      log.warn("a producer has lost its connection", { topic, error: toMessage(loss) });
      this.#queue.failInFlight((publish) => toLossError(loss, topic, publish));
      connection = await reconnector.next(signal);
      if (connection !== undefined) {
        metrics.reconnected(topic);
        log.info("a producer has a connection again", { topic });
      }
    }
  }

  /** Publishes over the connection until it is lost; returns why. */
  async #serve(connection: Connection): Promise<unknown> {
    this.#connection = connection;
    this.#keptOutBecause = undefined;
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
      const found = receipt.type === "failed" ? `one of no publish: ${receipt.reason}` : "one of no publish";
      throw new MalformedFrameError("a receipt", found);
    }
    if (receipt.type === "stored") {
      publish.outcome.resolve();
      return;
    }
    const { error, isEnd } = toSendError(receipt, topic);
    publish.outcome.reject(error);
    if (isEnd) {
      this.#keepOut(receipt.reason);
      throw error;
    }
  }

  /** What waits may wait on, unless the broker has said that it will not be let in. */
  #failToConnect(error: unknown): void {
    const { log, topic } = this.#options;
    const reason = toMessage(error);
    this.#lost = { ...this.#lost, reason };
    log.debug("a producer cannot connect", { topic, error: reason });
    const isPassing =
      error instanceof HandshakeRefusedError ? error.isPassing : !(error instanceof TerminalError);
    if (!isPassing) {
      this.#keepOut(reason);
    }
  }

  #keepOut(reason: string): void {
    this.#keptOutBecause = `not sent to ${this.#options.topic}: ${reason}`;
    this.#queue.refuseWaiting(this.#keptOutBecause);
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
