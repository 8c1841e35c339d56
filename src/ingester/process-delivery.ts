import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Event } from "../../gen/proto/evenkeel/v1/event_pb.ts";
import type { Delivery } from "../bus/bus.ts";
import { decodeEvent } from "../event/codec.ts";
import { toDeadLetter } from "../event/dead-letter.ts";
import { TOPICS } from "../event/topics.ts";
import type { Clock } from "../lib/clock.ts";
import { RetryableError, toMessage } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import type { Tracer } from "../lib/tracer.ts";
import type { IngestStore, QuarantinedItem } from "../store/ingest-store.ts";
import { applyEvent } from "./apply-event.ts";
import type { Hold } from "./keyed-window.ts";
import type { IngesterMetrics } from "./metrics.ts";
import type { Producers } from "./producer-pool.ts";
import { type Outcome, retryInPlace } from "./retry-in-place.ts";

/** What settling needs. */
export interface SettleDependencies {
  readonly store: IngestStore;
  readonly producers: Producers;
  readonly hold: Hold;
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
export async function settle(
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
  if (applied.kind === "stopped") {
    return;
  }
  const reason = reasonToKeep(applied);
  if (reason !== undefined) {
    const kept = await retryInPlace(signal, retry, () => keep(signal, dependencies, delivery, reason));
    if (kept.kind !== "done") {
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
  applied: Exclude<Outcome<readonly QuarantinedItem[]>, { kind: "stopped" }>,
): string | undefined {
  if (applied.kind === "failed") {
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
function lagSeconds(clock: Clock, { time }: Event): number {
  return time === undefined ? 0 : Math.max(0, clock.now().getTime() - timestampMs(time)) / 1000;
}
