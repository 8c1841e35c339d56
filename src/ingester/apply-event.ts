import { type Batch, BatchType } from "../../gen/proto/evenkeel/v1/batch_pb.ts";
import type { Event } from "../../gen/proto/evenkeel/v1/event_pb.ts";
import { type BatchHandlers, createBatchRegistry } from "../domain/batch-type.ts";
import { TerminalError } from "../lib/errors.ts";
import type { IngestStore, QuarantinedItem, StreamPosition } from "../store/ingest-store.ts";
import { type InventoryOptions, publishInventory } from "./publish-inventory.ts";

/**
 * Applies the batches of one type, and returns the objects that could not be stored. When it returns, the batch is
 * committed; the same batch may come again, and then must have the same result.
 */
export type IngestBatchHandler = (
  signal: AbortSignal,
  position: StreamPosition,
  batch: Batch,
) => Promise<readonly QuarantinedItem[]>;

/**
 * Applies one event and returns the objects of it that could not be stored. When it returns, the event is committed.
 * An event may be applied any number of times to the same result.
 *
 * @throws TerminalError for an event that can never be applied, and RetryableError for one that can later.
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
        throw new TerminalError("a compressed batch was not expanded");
      case undefined:
        throw new TerminalError("an event has no body that this version knows");
      default:
        throw new TerminalError(`unknown event ${String(body satisfies never)}`);
    }
  };
}

function contractHandlers(store: IngestStore) {
  const applyBatch: IngestBatchHandler = async (signal, position, batch) =>
    (await store.applyBatch(signal, position, batch)).quarantined;
  return {
    [BatchType.UNSPECIFIED]: "refused",
    [BatchType.DEFAULT]: applyBatch,
    // The backend sends these to agents; none comes from one.
    [BatchType.RECONCILIATION]: "refused",
  } as const;
}

/** Where the event stands, as the backend stamped it. */
function toStreamPosition({ account, cluster, epoch, sequence, part, parts }: Event): StreamPosition {
  return { account, cluster, epoch, sequence, ...(parts > 1 && { part: { index: part, count: parts } }) };
}
