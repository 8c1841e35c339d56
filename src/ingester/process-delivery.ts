import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Event } from "../../gen/proto/evenkeel/v1/event_pb.ts";
import type { Delivery } from "../bus/bus.ts";
import { decodeEvent } from "../event/codec.ts";
import { toDeadLetter } from "../event/dead-letter.ts";
import { TOPICS } from "../event/topics.ts";
import { sleepUnlessAborted } from "../lib/abort.ts";
import { createBackoff } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import { RetryableError, toMessage } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { createOutageLog } from "../lib/outage-log.ts";
import type { Random } from "../lib/random.ts";
import type { Tracer } from "../lib/tracer.ts";
import type { IngestStore, QuarantinedItem } from "../store/ingest-store.ts";
import { applyEvent } from "./apply-event.ts";
import { toDisposition } from "./disposition.ts";
import type { KeyedWindow } from "./keyed-window.ts";
import type { IngesterMetrics } from "./metrics.ts";
import type { ProducerPool } from "./producer-pool.ts";

/** What settling needs. */
export interface SettleDependencies {
  readonly store: IngestStore;
  readonly producers: ProducerPool;
  readonly hold: KeyedWindow;
  readonly counted: IngesterMetrics;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly tracer: Tracer;
}

/**
 * Brings one delivery to its end: applied, or kept as a dead letter, and then acknowledged. Never rejects; once `signal`
 * has aborted the delivery may be left unacknowledged, for the next consumer.
 */
export async function processDelivery(
  signal: AbortSignal,
  dependencies: SettleDependencies,
  delivery: Delivery,
): Promise<void> {
  const { hold, clock, random, counted } = dependencies;
  const { key, position, redeliveryCount } = delivery;
  const log = dependencies.log.with({ key, position });
  const onWait = (unknownCode: string | undefined): void => {
    hold.setStuck(key, true);
    if (unknownCode !== undefined) {
      counted.unknownError(unknownCode);
    }
  };
  const retry = { clock, random, log, onWait };
  counted.delivered(redeliveryCount);
  const applied = await retryInPlace(signal, retry, () => apply(signal, dependencies, delivery));
  if (applied.type === "stopped") {
    return;
  }
  const reason = reasonToKeep(applied);
  if (reason !== undefined) {
    const kept = await retryInPlace(signal, retry, () => keep(signal, dependencies, delivery, reason));
    if (kept.type !== "done") {
      return;
    }
    counted.deadLetter();
    log.error("message kept as a dead letter", { reason });
  }
  await retryInPlace(signal, retry, () => delivery.acknowledge());
  hold.setStuck(key, false);
}

async function apply(
  signal: AbortSignal,
  { store, producers, clock, tracer, counted }: SettleDependencies,
  { payload }: Delivery,
): Promise<readonly QuarantinedItem[]> {
  const event = decodeEvent(payload);
  const span = tracer.start("apply", {
    parent: event.traceParent,
    attributes: { body: event.body.case ?? "" },
  });
  const started = clock.monotonic();
  try {
    const quarantined = await applyEvent(signal, { store, producers, clock }, event);
    counted.applied(bodyOf(event), (clock.monotonic() - started) / 1000, lagSeconds(clock, event));
    span.end();
    return quarantined;
  } catch (error) {
    counted.failed();
    span.end(error);
    throw error;
  }
}

/** Keeps a dead letter. Whatever goes wrong passes once somebody mends it: given up here, the message would be lost. */
async function keep(
  signal: AbortSignal,
  { producers }: SettleDependencies,
  delivery: Delivery,
  reason: string,
): Promise<void> {
  try {
    const producer = await producers.get(signal, TOPICS.deadLetter);
    await producer.publish(signal, toDeadLetter(delivery, reason));
  } catch (cause) {
    throw new RetryableError(`the dead letter was not taken: ${toMessage(cause)}`, { cause });
  }
}

function reasonToKeep(
  applied: Exclude<Outcome<readonly QuarantinedItem[]>, { type: "stopped" }>,
): string | undefined {
  if (applied.type === "failed") {
    return applied.reason;
  }
  const refused = applied.value.filter(({ announced }) => !announced);
  const [first] = refused;
  return (
    first &&
    `${refused.length} of its objects cannot be stored, first ${first.namespace}/${first.name}: ${first.reason}`
  );
}

function bodyOf({ body }: Event): string {
  return body.case ?? "none";
}

/** Time from the backend's stamp to the commit; two machines' clocks, so it may be a little below 0. */
function lagSeconds(clock: Clock, { publishTime: time }: Event): number {
  return time === undefined ? 0 : Math.max(0, clock.now().getTime() - timestampMs(time)) / 1000;
}

/** How an attempt, repeated as long as that may help, came out. */
type Outcome<T> =
  | { readonly type: "done"; readonly value: T }
  /** It can never succeed. */
  | { readonly type: "failed"; readonly reason: string }
  /** The signal aborted first. */
  | { readonly type: "stopped" };

/** What waiting between attempts needs. */
export interface RetryDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** An attempt has failed, and another one follows after a wait. The code is that of an unknown error. */
  readonly onWait: (unknownCode: string | undefined) => void;
}

/** Repeats an attempt, with jittered backoff, for as long as its failure may pass. */
export async function retryInPlace<T>(
  signal: AbortSignal,
  { clock, random, log, onWait }: RetryDependencies,
  attempt: () => Promise<T>,
): Promise<Outcome<T>> {
  const backoff = createBackoff(random, { initialMs: 100, maxMs: 10_000 });
  const outage = createOutageLog(log, { failed: "waiting to try again", worked: "going on" });
  for (;;) {
    try {
      const value = await attempt();
      outage.worked();
      return { type: "done", value };
    } catch (error) {
      const disposition = toDisposition(signal, error);
      switch (disposition.type) {
        case "stop":
          return { type: "stopped" };
        case "deadLetter":
          return { type: "failed", reason: disposition.reason };
        case "retry":
          onWait(disposition.unknownCode);
          outage.failed(error);
          break;
        default:
          disposition satisfies never;
      }
      await sleepUnlessAborted(signal, clock, Math.max(backoff.nextMs(), disposition.afterMs ?? 0));
    }
  }
}
