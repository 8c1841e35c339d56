import { type Batch, BatchType } from "../../gen/proto/evenkeel/v1/batch_pb.ts";
import type { Event } from "../../gen/proto/evenkeel/v1/event_pb.ts";
import { TerminalError } from "../lib/errors.ts";
import type { QuarantinedItem, StreamPosition } from "../store/ingest-store.ts";
import { type AnswerDependencies, publishInventory } from "./publish-inventory.ts";

/**
 * Applies one event and returns what of it could not be stored. When it returns, what the event says is committed.
 * An event may be applied any number of times to the same result.
 *
 * Throws `TerminalError` for an event that can never be applied, and `RetryableError` for one that can later.
 */
export async function applyEvent(
  signal: AbortSignal,
  dependencies: AnswerDependencies,
  event: Event,
): Promise<readonly QuarantinedItem[]> {
  const { store } = dependencies;
  const position = toStreamPosition(event);
  const { body } = event;
  switch (body.case) {
    case "batch":
      assertDefault(body.value);
      return (await store.applyBatch(signal, position, body.value)).quarantined;
    case "scopeDeclared":
      await store.applyScope(signal, position, body.value);
      return [];
    case "resourceReconciled":
      await store.applyResourceReconciled(signal, position, body.value);
      return [];
    case "reconciliationRequest":
      await publishInventory(signal, dependencies, { event, position, request: body.value });
      return [];
    case "compressedBatch":
      throw new TerminalError("a compressed batch was not expanded");
    case undefined:
      throw new TerminalError("an event has no body that this version knows");
    default:
      throw new TerminalError(`unknown event ${String(body satisfies never)}`);
  }
}

function assertDefault({ type }: Batch): void {
  if (type !== BatchType.DEFAULT) {
    throw new TerminalError(`the ingester applies batches of type DEFAULT, found type ${type}`);
  }
}

/** Where the event stands, as the backend stamped it. */
function toStreamPosition({ account, cluster, epoch, sequence, part, parts }: Event): StreamPosition {
  return { account, cluster, epoch, sequence, ...(parts > 1 && { part: { index: part, count: parts } }) };
}
