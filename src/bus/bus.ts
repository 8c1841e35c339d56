/**
 * The bus that carries events. Its guarantees are those of Apache Pulsar: delivery at least once, order per
 * key while nothing fails, and acknowledgement of single messages. A receipt can stay unknown, and a consumer
 * that the bus has cut off can continue for a while before it detects that. Adapters pass the contract suite
 * in `test/contract/bus.ts`.
 */
export interface Bus {
  /** True if messages leave this process, so that compression saves bytes. */
  readonly isRemote: boolean;
  /** Largest payload of a message, in bytes. */
  readonly maxMessageBytes: number;
  /** Opens a producer on a topic. */
  createProducer(signal: AbortSignal, topic: string): Promise<Producer>;
  /** Joins a subscription. Messages of one key go to one of its consumers at a time. */
  subscribe(signal: AbortSignal, options: SubscribeOptions): Promise<Consumer>;
  /**
   * Resolves if the bus can be used now; rejects with a `RetryableError` and the reason otherwise. For
   * readiness.
   */
  check(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** Publishes to one topic. */
export interface Producer {
  /**
   * Publishes a message, and resolves with the receipt: from now on the end of this process does not lose its
   * effect. A broker sends it when it has stored the message, the bus of a single process when every subscription
   * has acknowledged it. Messages of one producer with one key are stored in the order of the calls. A payload
   * above {@link Bus.maxMessageBytes} is refused.
   *
   * @throws PublishRefusedError if the message is certainly not stored.
   * @throws PublishUnknownError if the message may or may not be stored.
   */
  publish(signal: AbortSignal, message: OutgoingMessage): Promise<void>;
  close(): Promise<void>;
}

/** A message to publish. */
export interface OutgoingMessage {
  /** Messages of one key keep their order. */
  readonly key: string;
  readonly payload: Uint8Array;
  /** For people who inspect topics. Code relies on the payload only. */
  readonly properties?: Readonly<Record<string, string>>;
  /** True if its loss is repaired elsewhere. Then the receipt means only that the bus has the message. */
  readonly isLosable?: boolean;
}

export interface SubscribeOptions {
  readonly topic: string;
  readonly subscription: string;
  /** Maximum messages that are delivered to this consumer and not acknowledged. */
  readonly maxUnacknowledged: number;
  /** Maximum messages that this process holds before {@link Consumer.deliveries} yields them. */
  readonly maxPrefetched: number;
}

/** One member of a subscription. */
export interface Consumer {
  /**
   * Yields deliveries until `signal` aborts. Throws `RetryableError` if the bus cuts the consumer off. Its
   * unacknowledged messages are delivered again, possibly to another consumer while this one still processes
   * them.
   */
  deliveries(signal: AbortSignal): AsyncIterable<Delivery>;
  close(): Promise<void>;
}

/**
 * One delivery of a message. It is a plain object, so that a caller can keep some members without the
 * payload.
 */
export interface Delivery {
  readonly key: string;
  readonly payload: Uint8Array;
  readonly properties: Readonly<Record<string, string>>;
  /** Number of earlier deliveries of this message that the bus knows of. */
  readonly redeliveryCount: number;
  /** Position of the message in its topic; opaque. */
  readonly messageId: string;
  /**
   * Acknowledges this message. The bus then does not deliver it again, unless the acknowledgement is lost.
   */
  acknowledge(): Promise<void>;
  /**
   * Gives this message back: the bus delivers it again soon, in the order of its key among those that are given
   * back in one turn. Another consumer can receive it, if the bus has moved the key to that one. It no longer
   * counts as unacknowledged, and the members of this delivery have no further effect.
   */
  redeliver(): Promise<void>;
}

/** Reports that the bus has certainly not stored the message. */
export class PublishRefusedError extends Error {
  override readonly name = "PublishRefusedError";
}

/** Reports that the bus may or may not have stored the message. */
export class PublishUnknownError extends Error {
  override readonly name = "PublishUnknownError";
}

/**
 * Asserts that the payload of a message is not above the limit of the bus.
 *
 * @throws PublishRefusedError if it is.
 */
export function assertFits({ payload }: OutgoingMessage, maxMessageBytes: number): void {
  if (payload.byteLength > maxMessageBytes) {
    throw new PublishRefusedError(
      `the message is too large for the bus: expected at most ${maxMessageBytes} bytes, ` +
        `found ${payload.byteLength} bytes`,
    );
  }
}

/**
 * Creates the subscription if it does not exist, so that it keeps all messages that are published from now
 * on.
 */
export async function ensureSubscription(
  signal: AbortSignal,
  bus: Bus,
  topic: string,
  subscription: string,
): Promise<void> {
  const consumer = await bus.subscribe(signal, {
    topic,
    subscription,
    maxUnacknowledged: 1,
    maxPrefetched: 1,
  });
  await consumer.close();
}
