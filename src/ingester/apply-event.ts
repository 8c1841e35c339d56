import { type Batch, BatchType } from "../../gen/proto/evenkeel/v1/batch_pb.ts";
import type { Event } from "../../gen/proto/evenkeel/v1/event_pb.ts";
import { type BatchHandlers, createBatchRegistry } from "../domain/batch-type.ts";
import { TerminalError } from "../lib/errors.ts";
import type { IngestStore, QuarantinedItem, StreamPosition } from "../store/ingest-store.ts";
import { type InventoryOptions, publishInventory } from "./publish-inventory.ts";

/**
 * Applies a batch of one type, and returns the objects that could not be stored. The batch is committed when
 * the handler returns. The bus may deliver a batch again, and the result must be the same.
 */
export type IngestBatchHandler = (
  signal: AbortSignal,
  position: StreamPosition,
  batch: Batch,
) => Promise<readonly QuarantinedItem[]>;

/**
 * Applies one event, and returns its objects that could not be stored. The event is committed when the
 * function returns. Applying an event again gives the same result.
 *
 * @throws TerminalError for an event that can never be applied, RetryableError for one that can be applied
 * later.
 */
export type ApplyEvent = (signal: AbortSignal, event: Event) => Promise<readonly QuarantinedItem[]>;

/** Creates the function that applies events, with a handler for each type of batch. */
export function createApplyEvent(
  options: InventoryOptions,
  batchHandlers: BatchHandlers<IngestBatchHandler> = {},
): ApplyEvent {
  const { store } = options;
  const handlerOf = createBatchRegistry(contractHandlers(store), batchHandlers);
  return async (signal, event) => {
    const position = toStreamPosition(event);
    const { body } = event;
    switch (body.case) {
      case "batch":
        return await handlerOf(body.value.type)(signal, position, body.value);
      case "scopeDeclared":
        await store.applyScope(signal, position, body.value);
        return [];
      case "resourceReconciled":
        await store.applyResourceReconciled(signal, position, body.value);
        return [];
      case "reconciliationRequest":
        await publishInventory(signal, options, { event, position, request: body.value });
        return [];
      case "compressedBatch":
        throw new TerminalError("event: expected an expanded batch, found compressed_batch");
      case undefined:
        throw new TerminalError("event: expected a known body, found none");
      default:
        throw new TerminalError(`event: unknown body ${String(body satisfies never)}`);
    }
  };
}

function contractHandlers(store: IngestStore) {
  const applyBatch: IngestBatchHandler = async (signal, position, batch) =>
    (await store.applyBatch(signal, position, batch)).quarantined;
  const judgeBatch: IngestBatchHandler = async (signal, position, batch) => {
    await store.judgeBatch(signal, position, batch);
    return [];
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
