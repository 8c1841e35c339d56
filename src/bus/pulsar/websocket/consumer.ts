import { Buffer } from "node:buffer";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { BoundedQueue } from "../../../lib/bounded-queue.ts";
import type { Clock } from "../../../lib/clock.ts";
import { RetryableError, toMessage } from "../../../lib/errors.ts";
import type { Consumer, Delivery, SubscribeOptions } from "../../bus.ts";
import type { Connection } from "./connection.ts";
import {
  type IncomingMessage,
  parseMessage,
  toAcknowledgeFrame,
  toPermitFrame,
  toRedeliverFrame,
} from "./frames.ts";
import { Permits } from "./permits.ts";

/** Fields of Pulsar's `MessageIdData`. */
const LEDGER = 1;
const ENTRY = 2;
const PARTITION = 3;

/**
 * Returns the position of a message in the notation of Pulsar's own tools: "ledger:entry", or
 * "ledger:entry:partition" for a partitioned topic. Returns a `messageId` that is not a `MessageIdData` in
 * base64 unchanged.
 */
export function toMessageId(messageId: string): string {
  const numbers = readNumbers(Buffer.from(messageId, "base64"));
  const [ledger, entry, partition] = [LEDGER, ENTRY, PARTITION].map((field) => numbers?.get(field));
  if (ledger === undefined || entry === undefined) {
    return messageId;
  }
  return partition === undefined ? `${ledger}:${entry}` : `${ledger}:${entry}:${partition}`;
}

function readNumbers(bytes: Uint8Array): Map<number, string> | undefined {
  try {
    const numbers = new Map<number, string>();
    for (const reader = new BinaryReader(bytes); reader.pos < reader.len; ) {
      const [field, type] = reader.tag();
      if (type === WireType.Varint) {
        numbers.set(field, String(reader.uint64()));
      } else {
        reader.skip(type);
      }
    }
    return numbers;
  } catch {
    return undefined;
  }
}

/**
 * One member of a subscription, with its own connection. If the connection is lost, the membership is lost
 * too: {@link deliveries} throws, prefetched messages are dropped, and acknowledgements have no effect.
 *
 * The move of a topic (unload, another broker) does not end the connection. The broker's side of this API
 * stays connected, and sends unacknowledged messages again. This class does not yield those a second time.
 */
export class WebSocketConsumer implements Consumer {
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #permits: Permits;
  readonly #queue = new BoundedQueue<IncomingMessage>(
    // Permits limit the messages that arrive.
    { maxItems: Number.MAX_SAFE_INTEGER, maxBytes: Number.MAX_SAFE_INTEGER },
    ({ payload }) => payload.byteLength,
  );
  /** IDs of the messages that arrived and are not acknowledged, yielded or not. */
  readonly #unacknowledged = new Set<string>();
  readonly #reading: Promise<void>;
  #cutOff: RetryableError | undefined;
  #hasLeft = false;

  constructor(
    connection: Connection,
    clock: Clock,
    { topic, subscription, ...limits }: SubscribeOptions,
    onCutOff: () => void,
  ) {
    this.#connection = connection;
    this.#clock = clock;
    this.#permits = new Permits(limits);
    this.#reading = this.#read().catch((cause: unknown) => {
      this.#cutOff = new RetryableError(
        `the consumer of ${subscription} on ${topic} was cut off: ${toMessage(cause)}`,
        { cause },
      );
      connection.drop("the consumer was cut off");
      onCutOff();
    });
    void this.#reading.then(() => this.#queue.close());
  }

  async *deliveries(signal: AbortSignal): AsyncGenerator<Delivery, void, undefined> {
    this.#askForMore();
    for await (const message of this.#queue.take(signal)) {
      if (this.#cutOff !== undefined || this.#hasLeft) {
        break;
      }
      this.#permits.handOut();
      this.#askForMore();
      yield this.#toDelivery(message);
    }
    if (this.#cutOff !== undefined) {
      throw this.#cutOff;
    }
  }

  async close(): Promise<void> {
    this.#hasLeft = true;
    await this.#connection.close();
    await this.#reading;
  }

  async #read(): Promise<void> {
    for await (const text of this.#connection.texts()) {
      const message = parseMessage(text);
      if (this.#unacknowledged.has(message.messageId)) {
        this.#permits.ignore();
        this.#askForMore();
      } else {
        this.#unacknowledged.add(message.messageId);
        this.#permits.arrive(this.#clock.monotonic());
        this.#queue.offer(message);
      }
    }
  }

  #askForMore(): void {
    const permits = this.#permits.take();
    if (permits > 0) {
      this.#connection.send(toPermitFrame(permits));
    }
  }

  #toDelivery({ messageId, ...message }: IncomingMessage): Delivery {
    // Only the first of both calls has an effect: the same id can have been delivered again since.
    let isOpen = true;
    const end = (frame: string): void => {
      if (isOpen && this.#unacknowledged.delete(messageId)) {
        this.#connection.send(frame);
        this.#permits.acknowledge();
        this.#askForMore();
      }
      isOpen = false;
    };
    return {
      ...message,
      messageId: toMessageId(messageId),
      acknowledge: async () => end(toAcknowledgeFrame(messageId)),
      redeliver: async () => end(toRedeliverFrame(messageId)),
    };
  }
}
