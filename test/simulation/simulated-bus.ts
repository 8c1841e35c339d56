import {
  type Bus,
  type Delivery,
  type OutgoingMessage,
  PublishRefusedError,
  PublishUnknownError,
  type SubscribeOptions,
} from "../../src/bus/bus.ts";
import type { MemoryBus } from "../../src/bus/memory/memory-bus.ts";
import { waitFor } from "../../src/lib/abort.ts";
import { Condition } from "../../src/lib/condition.ts";
import { RetryableError } from "../../src/lib/errors.ts";
import type { Random } from "../../src/lib/random.ts";
import { between, chance } from "./chance.ts";
import type { Effect } from "./coverage.ts";
import type { SimulatedProcess } from "./process.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** Faults of the bus. A rate is the share of the messages that it hits. */
export interface BusFaults {
  /** True while no message is accepted, and no consumer is connected. */
  isGone: boolean;
  /** Keys of messages that are refused, as by a partition above its quota. */
  readonly fullKeys: Set<string>;
  /** Publishes that are refused. */
  refusedRate: number;
  /** Publishes that are stored, and whose receipt is lost. */
  lostReceiptRate: number;
  /** Messages that are confirmed and lost, as by a broker without enough copies. */
  lostMessageRate: number;
  /** Acknowledgements that are lost: the message comes again when its consumer leaves. */
  lostAcknowledgementRate: number;
  /** Deliveries that are late, so that messages of other keys overtake them. */
  lateRate: number;
}

export function createBusFaults(): BusFaults {
  return {
    isGone: false,
    fullKeys: new Set(),
    refusedRate: 0,
    lostReceiptRate: 0,
    lostMessageRate: 0,
    lostAcknowledgementRate: 0,
    lateRate: 0,
  };
}

export interface SimulatedBusOptions {
  readonly broker: MemoryBus;
  readonly faults: BusFaults;
  readonly time: VirtualTime;
  readonly random: Random;
  /** Called for each message that the broker has stored. */
  readonly onStored: (topic: string, message: OutgoingMessage) => void;
  /** Called for each subscription that a process joins. */
  readonly onSubscribe: (options: SubscribeOptions) => void;
  /** Called for each fault that was injected. */
  readonly onFault: (effect: Effect) => void;
}

/** Time for which a late delivery waits, in milliseconds. */
const LATE_MS = 5_000;

/** The bus as one process sees it. The broker outlives the process. */
export function connectBus(process: SimulatedProcess, options: SimulatedBusOptions): Bus {
  const { broker, faults, time, random, onSubscribe, onStored, onFault } = options;
  const assertThere = (): void => {
    if (faults.isGone) {
      onFault("call refused: broker gone");
      throw new RetryableError("the broker is gone");
    }
  };
  return {
    isRemote: true,
    maxMessageBytes: broker.maxMessageBytes,

    async createProducer(signal, topic) {
      const producer = await process.call(`open producer ${topic}`, [1, 1], () => {
        assertThere();
        return broker.createProducer(signal, topic);
      });
      // Messages of one producer are stored in the order of the calls.
      let lastAt = 0;
      return {
        publish(publishSignal, message) {
          lastAt = Math.max(lastAt, time.elapsedMs + between(random, 1, 10));
          const delay = lastAt - time.elapsedMs;
          return process.call(`publish ${message.properties?.["body"] ?? ""}`, [delay, 2], async () => {
            if (faults.isGone || faults.fullKeys.has(message.key) || chance(random, faults.refusedRate)) {
              onFault(
                faults.fullKeys.has(message.key) ? "publish refused: partition full" : "publish refused",
              );
              throw new PublishRefusedError("the broker refused the message");
            }
            if (chance(random, faults.lostMessageRate)) {
              onFault("message lost");
              return;
            }
            await producer.publish(publishSignal, message);
            onStored(topic, message);
            if (chance(random, faults.lostReceiptRate)) {
              onFault("receipt lost");
              throw new PublishUnknownError("the broker sent no receipt");
            }
          });
        },
        close: () => process.call("close producer", [1, 0], () => producer.close()),
      };
    },

    async subscribe(signal, subscribing) {
      const consumer = await process.call(`subscribe ${subscribing.topic}`, [1, 1], () => {
        assertThere();
        onSubscribe(subscribing);
        return broker.subscribe(signal, subscribing);
      });
      process.onDeath(() => {
        // The broker notices the end of the connection.
        time.schedule(between(random, 1, 3_000), () => void consumer.close());
      });
      return {
        deliveries: (untilSignal) => deliver(untilSignal, process, options, consumer.deliveries(untilSignal)),
        close: () => process.call("close consumer", [1, 1], () => consumer.close()),
      };
    },

    check: (signal) =>
      process.call("check the bus", [1, 1], () => {
        assertThere();
        return broker.check(signal);
      }),
    async close() {},
  };
}

/** Yields deliveries when they arrive: in the order of each key, while a late one lets those of other keys pass. */
async function* deliver(
  signal: AbortSignal,
  process: SimulatedProcess,
  { time, random, faults, onFault }: SimulatedBusOptions,
  source: AsyncIterable<Delivery>,
): AsyncGenerator<Delivery, void, undefined> {
  const arrived: Delivery[] = [];
  const changed = new Condition();
  const lastOf = new Map<string, number>();
  let ended: { readonly error?: unknown } | undefined;
  const fetch = async (): Promise<void> => {
    try {
      for await (const delivery of source) {
        const isLate = chance(random, faults.lateRate);
        if (isLate) {
          onFault("delivery late");
        }
        const due = time.elapsedMs + (isLate ? LATE_MS : between(random, 1, 10));
        const at = Math.max(due, lastOf.get(delivery.key) ?? 0);
        lastOf.set(delivery.key, at);
        time.schedule(at - time.elapsedMs, () => {
          arrived.push(delivery);
          changed.notifyAll();
        });
      }
      ended = {};
    } catch (error) {
      ended = { error };
    }
    changed.notifyAll();
  };
  void fetch();
  for (;;) {
    await changed.waitUntil(signal, () => arrived.length > 0 || ended !== undefined);
    const next = arrived.shift();
    if (next === undefined) {
      if (ended !== undefined && "error" in ended) {
        throw ended.error;
      }
      return;
    }
    const received = await waitFor(
      signal,
      process.call(`receive ${next.properties["body"] ?? ""}`, [0, 0], () => next),
    );
    yield {
      ...received,
      acknowledge: () =>
        process.call("acknowledge", [between(random, 1, 5), 0], async () => {
          if (chance(random, faults.lostAcknowledgementRate)) {
            onFault("acknowledgement lost");
            return;
          }
          await next.acknowledge();
        }),
      redeliver: () => process.call("give back", [between(random, 1, 5), 0], () => next.redeliver()),
    };
  }
}
