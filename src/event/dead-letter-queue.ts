import type { Bus, Consumer, Delivery } from "../bus/bus.ts";
import { withinDeadline } from "../lib/abort.ts";
import type { Clock } from "../lib/clock.ts";
import { NotFoundError, RetryableError } from "../lib/errors.ts";
import { type DeadLetter, fromDeadLetter } from "./dead-letter.ts";
import { DEAD_LETTER_SUBSCRIPTION, TOPICS } from "./topics.ts";

/** A dead letter where it is kept. */
export interface StoredDeadLetter extends DeadLetter {
  /** Its position in the dead-letter topic. */
  readonly id: string;
  /** Forgets it. */
  acknowledge(): Promise<void>;
}

/** The dead letters of a bus, for people to decide about. */
export interface DeadLetterQueue {
  /**
   * Those that there are now, the oldest first. Meanwhile nobody else gets them; all that was not acknowledged is there
   * again afterwards. Throws {@link DeadLettersLockedError} at the end when not all have come.
   */
  read(signal: AbortSignal): AsyncIterable<StoredDeadLetter>;
  /**
   * Publishes letters as they were before they died, and forgets each once it is stored. Whether its statement is still
   * of value, the rule decides. Yields what was done; throws `NotFoundError` for the rest.
   */
  retry(signal: AbortSignal, ids: readonly string[]): AsyncIterable<StoredDeadLetter>;
  /** Forgets letters. Yields what was done; throws `NotFoundError` for the rest. */
  drop(signal: AbortSignal, ids: readonly string[]): AsyncIterable<StoredDeadLetter>;
}

/** Somebody else reads some of the letters. */
export class DeadLettersLockedError extends RetryableError {
  override readonly name = "DeadLettersLockedError";
}

/** What it takes to get at dead letters. */
export interface DeadLetterQueueOptions {
  readonly bus: Bus;
  readonly clock: Clock;
  /** How many letters there are. */
  readonly count: (signal: AbortSignal) => Promise<number>;
}

/** How long the next letter may take, in milliseconds. */
const QUIET_MS = 5_000;

/** Most letters here that nobody has looked at yet. */
const MAX_PREFETCHED = 16;

/**
 * Reads by a consumer of the subscription that keeps the letters, and leaves what it only looks at unacknowledged. So it
 * works on any bus, and what is acknowledged is exactly one message; Pulsar's admin API can look at messages as well, but
 * neither forgets a single one nor gives properties back as they were. The bus does not say where its messages end: they
 * are counted first.
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
            `${letters - index} of ${letters} dead letters did not come within ${QUIET_MS} ms: another command has them; try again`,
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
        yield* actOn(signal, ids, ({ message }) => producer.publish(signal, message));
      } finally {
        await producer.close();
      }
    },
    drop: (signal, ids) => actOn(signal, ids, async () => {}),
  };
}

/** The next delivery; undefined when none has come in time. */
async function takeOne(signal: AbortSignal, clock: Clock, consumer: Consumer): Promise<Delivery | undefined> {
  const take = async (until: AbortSignal): Promise<Delivery | undefined> => {
    for await (const delivery of consumer.deliveries(until)) {
      return delivery;
    }
    return undefined;
  };
  return await withinDeadline(signal, clock, QUIET_MS, take, () => undefined);
}
