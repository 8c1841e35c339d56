import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Event } from "../../gen/proto/evenkeel/v1/event_pb.ts";
import type { Delivery } from "../bus/bus.ts";
import { decodeEvent } from "../event/codec.ts";
import { toDeadLetter } from "../event/dead-letter.ts";
import { parseClusterKey, TOPICS } from "../event/topics.ts";
import type { Clock } from "../lib/clock.ts";
import { RetryableError, toMessage } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import { type BackoffOptions, type RetryOptions, retry } from "../lib/retry.ts";
import type { Tracer } from "../lib/telemetry.ts";
import type { QuarantinedItem } from "../store/ingest-store.ts";
import type { ApplyEvent } from "./apply-event.ts";
import type { DeadLetterBudget } from "./dead-letter-budget.ts";
import { toDisposition } from "./disposition.ts";
import { type KeyedWindow, NotRedeliveredError, type WindowItem } from "./keyed-window.ts";
import type { IngesterMetrics } from "./metrics.ts";
import type { ProducerPool } from "./producer-pool.ts";

export interface DeliveryOptions {
  readonly applyEvent: ApplyEvent;
  readonly producers: ProducerPool;
  /** Window of the delivery. The delivery's key is blocked while it waits for a retry. */
  readonly window: KeyedWindow;
  readonly counted: IngesterMetrics;
  readonly deadLetters: DeadLetterBudget;
  /** Largest payload of a message of the bus, in bytes. */
  readonly maxMessageBytes: number;
  /** Ends the ingester, so that it subscribes again. */
  readonly restart: (error: NotRedeliveredError) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly tracer: Tracer;
}

const BACKOFF: BackoffOptions = { initialMs: 100, maxMs: 10_000 };

/**
 * Processes one delivery: applies it or publishes a dead letter, then acknowledges it. Never rejects. After
 * `signal` has aborted, the delivery may stay unacknowledged for the next consumer.
 */
export async function processDelivery(
  signal: AbortSignal,
  options: DeliveryOptions,
  item: WindowItem,
): Promise<void> {
  const { window, counted } = options;
  const { key, messageId, redeliveryCount } = item;
  const log = options.log.with({ key, messageId });
  counted.delivered(redeliveryCount);
  try {
    const { delivery, reason } = await applyOrRefuse(signal, { ...options, log }, item);
    if (reason !== undefined) {
      await keepDeadLetter(signal, { ...options, log }, delivery, reason);
    }
    const acknowledging = retryOptions({ ...options, log }, key, "acknowledging the message");
    await retry(signal, acknowledging, () => delivery.acknowledge());
    window.setBlocked(key, false);
  } catch (error) {
    if (error instanceof NotRedeliveredError) {
      options.restart(error);
    } else if (!signal.aborted) {
      throw error;
    }
  }
}

/** Applies the delivery. Returns it with the reason for a dead letter, or undefined if none is needed. */
async function applyOrRefuse(
  signal: AbortSignal,
  options: DeliveryOptions,
  item: WindowItem,
): Promise<{ readonly delivery: Delivery; readonly reason: string | undefined }> {
  const { counted } = options;
  const { onWait, ...applying } = retryOptions(options, item.key, "applying the message");
  return await retry(
    signal,
    {
      ...applying,
      classify: (error) => (error instanceof NotRedeliveredError ? "fail" : "retry"),
      onWait(error) {
        onWait();
        const disposition = toDisposition(error);
        if (disposition.type === "retry" && disposition.unknownCode !== undefined) {
          counted.unknownError(disposition.unknownCode);
        }
      },
    },
    async () => {
      const delivery = await item.load(signal);
      try {
        const quarantined = await apply(signal, options, delivery);
        return { delivery, reason: toRefusalReason(quarantined) };
      } catch (error) {
        const disposition = toDisposition(error);
        if (signal.aborted || disposition.type === "retry") {
          throw error;
        }
        return { delivery, reason: disposition.reason };
      }
    },
  );
}

/** Retries in place after every error, with the key blocked. */
function retryOptions({ window, clock, random, log }: DeliveryOptions, key: string, name: string) {
  const onWait = (): void => window.setBlocked(key, true);
  return {
    clock,
    random,
    log,
    name,
    backoff: BACKOFF,
    classify: () => "retry",
    onWait,
  } as const satisfies RetryOptions;
}

async function apply(
  signal: AbortSignal,
  { applyEvent, clock, tracer, counted }: DeliveryOptions,
  delivery: Delivery,
): Promise<readonly QuarantinedItem[]> {
  const event = decodeEvent(delivery);
  const span = tracer.start("apply", {
    parent: event.traceParent,
    attributes: { body: event.body.case ?? "" },
  });
  const started = clock.monotonic();
  try {
    const quarantined = await applyEvent(signal, event);
    counted.applied(bodyOf(event), (clock.monotonic() - started) / 1000, lagSeconds(clock, event));
    span.end();
    return quarantined;
  } catch (error) {
    counted.failed();
    span.end(error);
    throw error;
  }
}

/**
 * Publishes the delivery as a dead letter, as far as its account's budget allows, and retries after every error: giving
 * up would lose the message.
 */
async function keepDeadLetter(
  signal: AbortSignal,
  options: DeliveryOptions,
  delivery: Delivery,
  reason: string,
): Promise<void> {
  const { producers, counted, log, deadLetters, maxMessageBytes } = options;
  const { account } = parseClusterKey(delivery.key) ?? { account: "" };
  const kept = deadLetters.spend(account, delivery.payload.byteLength);
  if (kept === "nothing") {
    counted.deadLetterOmitted();
    log.debug("dead letter omitted: the budget of its account is spent", { reason });
    return;
  }
  const letter = toDeadLetter(delivery, reason, { keepsPayload: kept === "message", maxMessageBytes });
  const publishing = retryOptions(options, delivery.key, "publishing the dead letter");
  await retry(signal, publishing, async () => {
    try {
      const producer = await producers.get(signal, TOPICS.deadLetter);
      await producer.publish(signal, letter);
    } catch (cause) {
      throw new RetryableError(`dead letter not published: ${toMessage(cause)}`, { cause });
    }
  });
  counted.deadLetter();
  log.error("dead letter published", { reason });
}

/**
 * Returns the reason for a dead letter of a part of an applied event: objects that could not be stored
 * although the agent sent their content.
 */
function toRefusalReason(quarantined: readonly QuarantinedItem[]): string | undefined {
  const refused = quarantined.filter(({ announced }) => !announced);
  const [first] = refused;
  return (
    first &&
    `${refused.length} objects cannot be stored, first ${first.namespace}/${first.name}: ${first.reason}`
  );
}

function bodyOf({ body }: Event): string {
  return body.case ?? "none";
}

/** Returns the time from the backend's stamp to the commit, by the clocks of two machines; at least 0. */
function lagSeconds(clock: Clock, { publishTime: time }: Event): number {
  return time === undefined ? 0 : Math.max(0, clock.now().getTime() - timestampMs(time)) / 1000;
}
