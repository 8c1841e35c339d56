import { type BatchType, BatchTypeSchema } from "../../gen/proto/evenkeel/v1/batch_pb.ts";
import { TerminalError } from "../lib/errors.ts";
import type { BatchHandler } from "./uplink/session.ts";

/** The functions that process batches of the backend, by type. */
export type BatchHandlers = Readonly<Partial<Record<BatchType, BatchHandler>>>;

/** The backend sent a batch of a type that this agent does not know. */
export class UnsupportedBatchError extends TerminalError {
  override readonly name = "UnsupportedBatchError";
  readonly reason = "UnsupportedBatchType";
}

/**
 * Picks the function for a type; throws {@link UnsupportedBatchError} with the type's name when there is
 * none.
 */
export function handlerFor(handlers: BatchHandlers, type: BatchType): BatchHandler {
  const handler = handlers[type];
  if (handler === undefined) {
    throw new UnsupportedBatchError(`this agent processes no batches of type ${enumName(type)}`);
  }
  return handler;
}

/** The type as the contract calls it, or its number when this agent's contract is older. */
function enumName(type: BatchType): string {
  return BatchTypeSchema.value[type]?.name ?? String(type);
}
