import { type Batch, BatchType } from "../../gen/proto/evenkeel/v1/batch_pb.ts";
import type { Event } from "../../gen/proto/evenkeel/v1/event_pb.ts";
import { type BatchHandlers, createBatchRegistry } from "../domain/batch-type.ts";
import { TerminalError } from "../lib/errors.ts";
import type { IngestStore, QuarantinedItem, StreamPosition } from "../store/ingest-store.ts";
import { type InventoryOptions, publishInventory } from "./publish-inventory.ts";
import type { BatchRefusals, RefusalNotices } from "./refusal-notices.ts";

/**
 * Applies a batch of one type, and returns the objects that could not be stored, with the topic for a notice of
 * them. The batch is committed when the handler returns. The bus may deliver a batch again, and the result must be
 * the same.
 */
export type IngestBatchHandler = (
  signal: AbortSignal,
  position: StreamPosition,
  batch: Batch,
) => Promise<BatchRefusals>;

/**
 * Applies one event, and returns its objects that could not be stored. The event is committed when the
 * function returns. Applying an event again gives the same result.
 *
 * @throws TerminalError for an event that can never be applied, RetryableError for one that can be applied
 * later.
 */
export type ApplyEvent = (signal: AbortSignal, event: Event) => Promise<readonly QuarantinedItem[]>;

export interface ApplyEventOptions extends InventoryOptions {
  readonly notices: RefusalNotices;
}

/** Creates the function that applies events, with a handler for each type of batch. */
export function createApplyEvent(
  options: ApplyEventOptions,
  batchHandlers: BatchHandlers<IngestBatchHandler> = {},
): ApplyEvent {
  const { store, notices } = options;
  const handlerOf = createBatchRegistry(contractHandlers(store), batchHandlers);
  return async (signal, event) => {
    const position = toStreamPosition(event);
    const { body } = event;
    switch (body.case) {
      case "batch": {
        const refusals = await handlerOf(body.value.type)(signal, position, body.value);
        notices.publish(signal, event, body.value.resourceType, refusals);
        return refusals.quarantined;
      }
      case "scopeDeclared":
        await store.applyScope(signal, position, body.value);
        return [];
      case "resourcesReconciled":
        await store.applyResourcesReconciled(signal, position, body.value);
        return [];
      case "reconciliationRequest":
        await publishInventory(signal, options, { event, position, request: body.value });
        return [];
      case "compressedBatch":
        throw new TerminalError("event: expected an expanded batch, found compressed_batch");
      case "refusedItems":
        throw new TerminalError("event: expected a message of an agent or a request, found refused_items");
      case undefined:
        throw new TerminalError("event: expected a known body, found none");
      default:
        throw new TerminalError(`event: unknown body ${String(body satisfies never)}`);
    }
  };
}

function contractHandlers(store: IngestStore) {
  const applyBatch: IngestBatchHandler = (signal, position, batch) =>
    store.applyBatch(signal, position, batch);
  const judgeBatch: IngestBatchHandler = async (signal, position, batch) => {
    await store.judgeBatch(signal, position, batch);
    return { quarantined: [] };
  };
  return {
    [BatchType.UNSPECIFIED]: "refused",
    [BatchType.DEFAULT]: applyBatch,
    // The backend sends these to agents; agents send none.
    [BatchType.RECONCILIATION]: "refused",
    [BatchType.DRY_RUN]: judgeBatch,
  } as const;
}

/** Returns the event's position in the stream, as stamped by the backend. */
function toStreamPosition({ account, cluster, epoch, sequence, part, parts }: Event): StreamPosition {
  return { account, cluster, epoch, sequence, ...(parts > 1 && { part: { index: part, count: parts } }) };
}
