import { type Batch, BatchType } from "../../gen/proto/evenkeel/v1/batch_pb.ts";
import { type BatchHandlers, createBatchRegistry } from "../domain/batch-type.ts";
import type { UplinkSession } from "./uplink/session.ts";

/**
 * Processes one batch of the backend. Must not wait on the uplink: later responses on the stream, such as
 * acknowledgements, wait for it.
 */
export type AgentBatchHandler = (session: UplinkSession, batch: Batch) => void;

/** Compares inventories, those of dry runs included, and reports batches that the agent cannot process. */
export interface BatchWorker {
  compare(session: UplinkSession, batch: Batch): void;
  refuse(session: UplinkSession, batch: Batch, error: unknown): void;
}

/** Creates the function that processes a batch by its type. It refuses a batch whose handler throws. */
export function createBatchProcessor(
  worker: BatchWorker,
  batchHandlers: BatchHandlers<AgentBatchHandler> = {},
): AgentBatchHandler {
  const handlerOf = createBatchRegistry<AgentBatchHandler>(
    {
      [BatchType.UNSPECIFIED]: "refused",
      // Agents send these; the backend sends none.
      [BatchType.DEFAULT]: "refused",
      [BatchType.RECONCILIATION]: (session, batch) => worker.compare(session, batch),
      [BatchType.DRY_RUN]: (session, batch) => worker.compare(session, batch),
    },
    batchHandlers,
  );
  return (session, batch) => {
    try {
      handlerOf(batch.type)(session, batch);
    } catch (error) {
      worker.refuse(session, batch, error);
    }
  };
}
