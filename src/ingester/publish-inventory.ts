import { create } from "@bufbuild/protobuf";
import type { Event } from "../../gen/proto/evenkeel/v1/event_pb.ts";
import {
  type ReconciliationRequest,
  ReconciliationRequestSchema,
  type ResourceInventory,
} from "../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import { INVENTORY_CHUNK_ROWS } from "../domain/limits.ts";
import { resourceTypeKey } from "../domain/resource-type.ts";
import { encodeEvent } from "../event/codec.ts";
import type { Clock } from "../lib/clock.ts";
import type { IngestStore, SentInventory, StreamPosition } from "../store/ingest-store.ts";
import type { ProducerPool } from "./producer-pool.ts";
import type { Scrub } from "./scrub.ts";

export interface InventoryOptions {
  readonly store: IngestStore;
  readonly producers: ProducerPool;
  readonly clock: Clock;
  /**
   * Scrubs a resource type before its inventory is read, so that the inventory has its result. Not called for a dry
   * run, because a scrub clears checksums.
   */
  readonly scrub: Scrub;
}

/** A request with its event and its position in the stream. */
export interface ReceivedRequest {
  readonly event: Event;
  readonly position: StreamPosition;
  readonly request: ReconciliationRequest;
}

/**
 * Publishes an inventory of every resource type in the cluster's scope, in messages of about 500 objects, to
 * the reply topic of the backend that owns the session. A request that is delivered again begins a new
 * attempt, whose chunks replace those of the previous attempt.
 */
export async function publishInventory(
  signal: AbortSignal,
  { store, producers, clock, scrub }: InventoryOptions,
  { event, position, request }: ReceivedRequest,
): Promise<void> {
  const attempt = await store.beginAttempt(signal, position, request);
  if (attempt === undefined) {
    return;
  }
  const producer = await producers.get(signal, attempt.replyTopic);
  const sent = new SentInventories();
  let bytes = 0;
  const publish = async (inventories: readonly ResourceInventory[]): Promise<void> => {
    const value = create(ReconciliationRequestSchema, { ...request, inventories: [...inventories] });
    const body = { case: "reconciliationRequest", value } as const;
    const message = encodeEvent(event, { sequence: 0n, publishTime: clock.now(), body });
    bytes += message.payload.byteLength;
    const complete = sent.complete(inventories);
    if (complete.length > 0) {
      await store.recordInventories(signal, attempt, complete, bytes);
      bytes = 0;
    }
    await producer.publish(signal, message);
  };
  let pending: ResourceInventory[] = [];
  for (const resourceType of attempt.resourceTypes) {
    if (!request.dryRun) {
      await scrub(signal, position, resourceType);
    }
    for await (const inventory of store.readInventory(signal, attempt, resourceType)) {
      if (countObjects(pending) + countObjects([inventory]) > INVENTORY_CHUNK_ROWS && pending.length > 0) {
        await publish(pending);
        pending = [];
      }
      pending.push(inventory);
    }
  }
  if (pending.length > 0) {
    await publish(pending);
  }
}

/** Returns the weight of inventories. A resource type without rows counts as 1, for its names. */
function countObjects(inventories: readonly ResourceInventory[]): number {
  return inventories.reduce(
    (sum, { objects, chunk }) => sum + 1 + objects.length + (chunk?.managed.length ?? 0),
    0,
  );
}

/** Adds up the chunks of each resource type until its last one. */
class SentInventories {
  readonly #open = new Map<string, SentInventory>();

  /** Adds chunks, and returns the inventories that they complete. */
  complete(chunks: readonly ResourceInventory[]): SentInventory[] {
    return chunks.flatMap(({ resourceType, objects, chunk, incarnation }) => {
      if (resourceType === undefined || chunk === undefined) {
        return [];
      }
      const key = resourceTypeKey(resourceType);
      const first = this.#open.get(key) ?? {
        resourceType,
        objects: 0,
        incarnation,
        highWatermark: chunk.highWatermark,
      };
      const inventory = { ...first, objects: first.objects + objects.length };
      this.#open.set(key, inventory);
      return chunk.range?.through === undefined ? [inventory] : [];
    });
  }
}
