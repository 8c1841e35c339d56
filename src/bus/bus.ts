/**
 * The bus that events travel on, shaped by what Apache Pulsar gives: delivery at least once, order per key while
 * nothing fails, acknowledgement of single messages, receipts that can stay unknown, and consumers that are cut
 * off and go on for a while without knowing. Adapters pass the contract suite in `test/contract/bus.ts`.
 */
export interface Bus {
  /** What was published survives the end of this process. */
  readonly durable: boolean;
  /** Largest payload of a message, in bytes. */
  readonly maxMessageBytes: number;
  /** Opens a producer on a topic. */
  createProducer(signal: AbortSignal, topic: string): Promise<Producer>;
  /** Joins a subscription; messages of one key go to one of its consumers at a time. */
  subscribe(signal: AbortSignal, options: SubscribeOptions): Promise<Consumer>;
  /** Resolves when the bus can be used now; throws `RetryableError` with the reason when not. For readiness. */
  check(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** Publishes to one topic. */
export interface Producer {
  /**
   * Resolves once the bus has the message as durably as it can. Messages of one producer with one key are stored
   * in the order of the calls. Rejects with {@link PublishRefusedError} when the message is surely not stored, and
   * with {@link PublishUnknownError} when it may or may not be. A payload above {@link Bus.maxMessageBytes} is refused.
   */
  publish(signal: AbortSignal, message: OutgoingMessage): Promise<void>;
  close(): Promise<void>;
}

/** A message to be published. */
export interface OutgoingMessage {
  /** Messages of one key keep their order. */
  readonly key: string;
  readonly payload: Uint8Array;
  /** For people who inspect topics; code trusts the payload only. */
  readonly properties?: Readonly<Record<string, string>>;
}

/** How to join a subscription. */
export interface SubscribeOptions {
  readonly topic: string;
  readonly subscription: string;
  /** Most messages that may be delivered to this consumer and not yet acknowledged. */
  readonly maxUnacknowledged: number;
  /** Most messages that may be in this process's memory before {@link Consumer.deliveries} has handed them out. */
  readonly maxPrefetched: number;
}

/** One member of a subscription. */
export interface Consumer {
  /**
   * Deliveries until `signal` aborts. Throws `RetryableError` when the bus cuts the consumer off: what it has not
   * acknowledged is delivered again, perhaps to another consumer while this one still works on it.
   */
  deliveries(signal: AbortSignal): AsyncIterable<Delivery>;
  close(): Promise<void>;
}

/** One delivery of a message, as a plain object: who needs its parts only need not keep the payload. */
export interface Delivery {
  readonly key: string;
  readonly payload: Uint8Array;
  readonly properties: Readonly<Record<string, string>>;
  /** Deliveries of this message before this one, as far as the bus knows. */
  readonly redeliveryCount: number;
  /** Where the message stands in its topic; opaque. */
  readonly messageId: string;
  /** Acknowledges this message. Once it is acknowledged it is not delivered again, unless the acknowledgement is lost. */
  acknowledge(): Promise<void>;
}

/** The bus has surely not stored the message. */
export class PublishRefusedError extends Error {
  override readonly name = "PublishRefusedError";
}

/** The bus may or may not have stored the message. */
export class PublishUnknownError extends Error {
  override readonly name = "PublishUnknownError";
}

/** Throws {@link PublishRefusedError} for a message that the bus cannot carry. */
export function assertFits({ payload }: OutgoingMessage, maxMessageBytes: number): void {
  if (payload.byteLength > maxMessageBytes) {
    throw new PublishRefusedError(
      `a message of ${payload.byteLength} bytes is above the bus's limit of ${maxMessageBytes}`,
    );
  }
}

/** Makes the subscription exist, so that it sees all that is published from now on, whoever reads it later. */
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
