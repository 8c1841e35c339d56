import { create } from "@bufbuild/protobuf";
import { RefusedItemsSchema } from "../../gen/proto/evenkeel/v1/batch_pb.ts";
import type { Event } from "../../gen/proto/evenkeel/v1/event_pb.ts";
import type { ResourceType } from "../../gen/proto/evenkeel/v1/resource_pb.ts";
import { MAX_NOTICE_ITEMS, MAX_REASON_LENGTH } from "../domain/limits.ts";
import { encodeEvent } from "../event/codec.ts";
import { waitFor, withinDeadline } from "../lib/abort.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { truncate } from "../lib/text.ts";
import type { BatchOutcome, QuarantinedItem } from "../store/ingest-store.ts";
import type { ProducerPool } from "./producer-pool.ts";

export interface RefusalNoticesOptions {
  readonly producers: ProducerPool;
  readonly clock: Clock;
  readonly log: Log;
}

/** The part of a batch's outcome that concerns items without a stored content. */
export type BatchRefusals = Pick<BatchOutcome, "quarantined" | "replyTopic">;

/** Notices for agents about items that could not be stored. Best effort: a notice may be lost or arrive twice. */
export interface RefusalNotices {
  /**
   * Publishes a notice in the background if the batch of the event has refused items. Never waits and never throws,
   * because the batch is committed already.
   */
  publish(
    signal: AbortSignal,
    event: Event,
    resourceType: ResourceType | undefined,
    refusals: BatchRefusals,
  ): void;
  /** Waits until no notice is in flight. */
  settled(): Promise<void>;
}

/** Most notices in flight; further ones are dropped. A notice takes at most 250 KB. */
const MAX_IN_FLIGHT = 16;

/** Time to publish a notice, in milliseconds. */
const PUBLISH_MS = 5_000;

/** Creates the publisher of notices. */
export function createRefusalNotices({ producers, clock, log }: RefusalNoticesOptions): RefusalNotices {
  const inFlight = new Set<Promise<void>>();

  const send = async (
    signal: AbortSignal,
    event: Event,
    resourceType: ResourceType | undefined,
    refused: readonly QuarantinedItem[],
    replyTopic: string,
  ): Promise<void> => {
    try {
      const message = encodeEvent(event, {
        sequence: 0n,
        publishTime: clock.now(),
        body: { case: "refusedItems", value: toNotice(event, resourceType, refused) },
      });
      const publish = async (until: AbortSignal): Promise<void> => {
        // The pool shares a producer that is being opened, so the deadline must not end the opening.
        const producer = await waitFor(until, producers.get(signal, replyTopic));
        await producer.publish(until, message);
      };
      await withinDeadline(signal, clock, PUBLISH_MS, publish, (error) => {
        throw error;
      });
    } catch (error) {
      log.warn("notice of refused items not published", { cluster: event.cluster, error });
    }
  };

  return {
    publish(signal, event, resourceType, { quarantined, replyTopic }) {
      const refused = quarantined.filter(({ announced }) => !announced);
      if (refused.length === 0 || replyTopic === undefined || inFlight.size >= MAX_IN_FLIGHT) {
        return;
      }
      const sending: Promise<void> = send(signal, event, resourceType, refused, replyTopic).finally(() => {
        inFlight.delete(sending);
      });
      inFlight.add(sending);
    },
    async settled() {
      await Promise.all(inFlight);
    },
  };
}

function toNotice(
  { sequence }: Event,
  resourceType: ResourceType | undefined,
  refused: readonly QuarantinedItem[],
) {
  return create(RefusedItemsSchema, {
    sequence,
    ...(resourceType && { resourceType }),
    total: refused.length,
    items: refused.slice(0, MAX_NOTICE_ITEMS).map(({ namespace, name, reason }) => ({
      ref: { namespace, name },
      reason: truncate(reason, MAX_REASON_LENGTH),
    })),
  });
}
