import { create } from "@bufbuild/protobuf";
import { BatchSchema, BatchType } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import type { Event } from "../../../gen/proto/evenkeel/v1/event_pb.ts";
import type {
  ReconciliationRequest,
  ResourceInventory,
} from "../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import type { Bus, Delivery } from "../../bus/bus.ts";
import { decodeEvent } from "../../event/codec.ts";
import { BACKEND_SUBSCRIPTION } from "../../event/topics.ts";
import { TerminalError, toMessage } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import type { RunStore } from "../../store/run-store.ts";
import type { SessionRegistry } from "../sync/session-registry.ts";

/** What routing answers needs. */
export interface InventoryRouterOptions {
  readonly bus: Bus;
  readonly replyTopic: string;
  readonly registry: SessionRegistry;
  readonly runs: RunStore;
  readonly log: Log;
}

/**
 * Hands the ingesters' answers to the sessions that they are for, until `signal` aborts. It never waits for an
 * agent: an answer that a session has no room for fails its run, and one whose session is gone is dropped, because
 * the run was superseded with it.
 */
export async function routeInventories(signal: AbortSignal, options: InventoryRouterOptions): Promise<void> {
  const { bus, replyTopic, log } = options;
  const consumer = await bus.subscribe(signal, {
    topic: replyTopic,
    subscription: BACKEND_SUBSCRIPTION,
    maxUnacknowledged: 16,
    maxPrefetched: 16,
  });
  try {
    for await (const delivery of consumer.deliveries(signal)) {
      try {
        await route(signal, options, delivery);
      } catch (error) {
        if (!(error instanceof TerminalError)) {
          throw error;
        }
        log.error("an answer is dropped", { error: toMessage(error) });
      }
      await delivery.acknowledge();
    }
  } finally {
    await consumer.close();
  }
}

async function route(
  signal: AbortSignal,
  { registry, runs, log }: InventoryRouterOptions,
  delivery: Delivery,
): Promise<void> {
  const event = decodeEvent(delivery.payload);
  const request = requestOf(event);
  const session = registry.find(event);
  if (session === undefined) {
    return;
  }
  if (!request.inventories.every((inventory) => session.outbox.offer(toBatch(inventory)))) {
    log.warn("a run fails because its agent is too far behind", {
      cluster: event.cluster,
      run: request.runId,
    });
    await runs.failRun(signal, event, request.runId, {
      reason: "AgentTooSlow",
      message: "the agent has not taken the inventory in time; its session had no room for more",
    });
  }
}

function requestOf({ body }: Event): ReconciliationRequest {
  if (body.case !== "reconciliationRequest") {
    throw new TerminalError(`a reply topic carries reconciliation_request, found ${body.case ?? "nothing"}`);
  }
  return body.value;
}

/** The batch that asks the agent to compare one chunk of a kind. */
function toBatch({ resourceType, incarnation, objects, chunk }: ResourceInventory) {
  return create(BatchSchema, {
    ...(resourceType && { resourceType }),
    type: BatchType.RECONCILIATION,
    incarnation,
    items: objects.map((value) => ({ message: { case: "verifyObject" as const, value } })),
    ...(chunk && { chunk }),
  });
}
