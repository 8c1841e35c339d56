import { Buffer } from "node:buffer";
import type { Bus, Consumer, Delivery, OutgoingMessage } from "../bus/bus.ts";
import { withinDeadline } from "../lib/abort.ts";
import type { Clock } from "../lib/clock.ts";
import { NotFoundError, RetryableError, TerminalError } from "../lib/errors.ts";
import { truncate } from "../lib/text.ts";
import { DEAD_LETTER_SUBSCRIPTION, TOPICS } from "./topics.ts";

/** A message that could not be applied, with the reason and its origin. */
interface DeadLetter {
  /** The original message. */
  readonly message: OutgoingMessage;
  /** Reason why it could not be applied. */
  readonly reason: string;
  /** Position in the topic from which it was delivered. */
  readonly sourcePosition: string;
  /** Number of deliveries before the failed one. */
  readonly redeliveryCount: number;
  /** Size of the payload in bytes, if the dead letter does not keep it. It cannot be retried then. */
  readonly omittedBytes?: number;
}

const REASON = "dead-letter-reason";
const SOURCE_POSITION = "source-position";
const REDELIVERY_COUNT = "redelivery-count";

const OMITTED_BYTES = "omitted-payload-bytes";

/** Longest reason of a dead letter, in bytes. */
const MAX_REASON_BYTES = 1024;

/** Longest key, and most properties of the message, in bytes. */
const MAX_HEADER_BYTES = 4 * 1024;

/**
 * Creates the message for the dead-letter topic: the unchanged delivery, with the reason in its properties. Without its
 * payload if the caller decides so, or if the bus could not store it. Its other parts are bounded, because they must
 * fit into a message, also those of a foreign producer.
 */
export function toDeadLetter(
  delivery: Delivery,
  reason: string,
  { keepsPayload = true, maxMessageBytes = Number.POSITIVE_INFINITY } = {},
): OutgoingMessage {
  const { payload, properties } = delivery;
  const key = truncate(delivery.key, MAX_HEADER_BYTES);
  const isKept = keepsPayload && payload.byteLength <= maxMessageBytes && key === delivery.key;
  return {
    key,
    payload: isKept ? payload : new Uint8Array(),
    properties: {
      ...(Buffer.byteLength(JSON.stringify(properties)) <= MAX_HEADER_BYTES && properties),
      [REASON]: truncate(reason, MAX_REASON_BYTES),
      [SOURCE_POSITION]: delivery.messageId,
      [REDELIVERY_COUNT]: String(delivery.redeliveryCount),
      ...(!isKept && { [OMITTED_BYTES]: String(payload.byteLength) }),
    },
  };
}

/** Reads a message of {@link toDeadLetter}. */
export function fromDeadLetter({ key, payload, properties }: OutgoingMessage): DeadLetter {
  const {
    [REASON]: reason = "",
    [SOURCE_POSITION]: sourcePosition = "",
    [REDELIVERY_COUNT]: redeliveryCount = "0",
    [OMITTED_BYTES]: omittedBytes,
    ...others
  } = properties ?? {};
  return {
    message: { key, payload, properties: others },
    reason,
    sourcePosition,
    redeliveryCount: Number(redeliveryCount),
    ...(omittedBytes !== undefined && { omittedBytes: Number(omittedBytes) }),
  };
}

/** A dead letter in the dead-letter topic. */
export interface StoredDeadLetter extends DeadLetter {
  /** Position in the dead-letter topic. */
  readonly id: string;
  /** Removes it from the topic. */
  acknowledge(): Promise<void>;
}

/** The dead letters of a bus. An operator retries or drops them. */
export interface DeadLetterQueue {
  /**
   * Yields the current dead letters, the oldest first. No other reader receives them meanwhile. Unacknowledged dead
   * letters are available again afterwards.
   *
   * @throws DeadLettersLockedError at the end if some did not arrive
   */
  read(signal: AbortSignal): AsyncIterable<StoredDeadLetter>;
  /**
   * Publishes the original messages, and removes each dead letter when its message is stored. Retrying an old message
   * is safe: the write rule decides if it still applies. Yields the retried dead letters.
   *
   * @throws NotFoundError for IDs without a dead letter, after the others
   * @throws TerminalError for a dead letter without its payload
   */
  retry(signal: AbortSignal, ids: readonly string[]): AsyncIterable<StoredDeadLetter>;
  /**
   * Removes dead letters. Yields the removed ones.
   *
   * @throws NotFoundError for IDs without a dead letter, after the others
   */
  drop(signal: AbortSignal, ids: readonly string[]): AsyncIterable<StoredDeadLetter>;
}

/** Error while another consumer holds some of the dead letters. */
export class DeadLettersLockedError extends RetryableError {
  override readonly name = "DeadLettersLockedError";
}

export interface DeadLetterQueueOptions {
  readonly bus: Bus;
  readonly clock: Clock;
  /** Counts the dead letters. */
  readonly count: (signal: AbortSignal) => Promise<number>;
}

/** Longest wait for the next dead letter, in milliseconds. */
const QUIET_MS = 5_000;

/** Highest number of received dead letters that were not yielded yet. */
const MAX_PREFETCHED = 16;

/**
 * Opens the dead letters of a bus. It reads with a consumer of the subscription that keeps them, and acknowledges only
 * the dead letters that it retries or drops. This works on any bus and acknowledges exactly one message. Pulsar's admin
 * API can read messages too, but it can neither remove a single one nor return properties unchanged. The dead letters
 * are counted first, because the bus does not report the end of its messages.
 */
export function createDeadLetterQueue({ bus, clock, count }: DeadLetterQueueOptions): DeadLetterQueue {
  const read = async function* (signal: AbortSignal): AsyncGenerator<StoredDeadLetter, void, undefined> {
    const letters = await count(signal);
    if (letters === 0) {
      return;
    }
    const consumer = await bus.subscribe(signal, {
      topic: TOPICS.deadLetter,
      subscription: DEAD_LETTER_SUBSCRIPTION,
      maxUnacknowledged: letters,
      maxPrefetched: MAX_PREFETCHED,
    });
    try {
      for (let index = 0; index < letters; index++) {
        const delivery = await takeOne(signal, clock, consumer);
        if (delivery === undefined) {
          throw new DeadLettersLockedError(
            `dead letters: ${letters - index} of ${letters} did not arrive within ${QUIET_MS} ms; ` +
              "retry when no other command reads them",
          );
        }
        yield { ...fromDeadLetter(delivery), id: delivery.messageId, acknowledge: delivery.acknowledge };
      }
    } finally {
      await consumer.close();
    }
  };

  const actOn = async function* (
    signal: AbortSignal,
    ids: readonly string[],
    act: (letter: StoredDeadLetter) => Promise<void>,
  ): AsyncGenerator<StoredDeadLetter, void, undefined> {
    const wanted = new Set(ids);
    for await (const letter of read(signal)) {
      if (wanted.delete(letter.id)) {
        await act(letter);
        await letter.acknowledge();
        yield letter;
      }
      if (wanted.size === 0) {
        return;
      }
    }
    throw new NotFoundError(
      `no dead letter "${[...wanted].join('", "')}"; list them with "evenkeel dlq list"`,
    );
  };

  return {
    read,
    async *retry(signal, ids) {
      const producer = await bus.createProducer(signal, TOPICS.events);
      try {
        yield* actOn(signal, ids, async ({ id, message, omittedBytes }) => {
          if (omittedBytes !== undefined) {
            throw new TerminalError(
              `dead letter ${id} has no payload to retry; the next run repairs what it concerned, so drop it`,
            );
          }
          await producer.publish(signal, message);
        });
      } finally {
        await producer.close();
      }
    },
    drop: (signal, ids) => actOn(signal, ids, async () => {}),
  };
}

/** Returns the next delivery, or undefined if none arrives within {@link QUIET_MS}. */
async function takeOne(signal: AbortSignal, clock: Clock, consumer: Consumer): Promise<Delivery | undefined> {
  const take = async (until: AbortSignal): Promise<Delivery | undefined> => {
    for await (const delivery of consumer.deliveries(until)) {
      return delivery;
    }
    return undefined;
  };
  return await withinDeadline(signal, clock, QUIET_MS, take, () => undefined);
}
