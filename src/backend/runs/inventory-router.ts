import { create } from "@bufbuild/protobuf";
import { BatchSchema, BatchType } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import type { ResourceInventory } from "../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import type { Bus, Delivery } from "../../bus/bus.ts";
import { decodeEvent } from "../../event/codec.ts";
import { BACKEND_SUBSCRIPTION } from "../../event/topics.ts";
import { TerminalError, toMessage } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import type { RunStore } from "../../store/run-store.ts";
import type { SessionRegistry } from "../sync/session-registry.ts";

export interface InventoryRouterOptions {
  readonly bus: Bus;
  readonly replyTopic: string;
  readonly registry: SessionRegistry;
  readonly runs: RunStore;
  readonly log: Log;
}

/**
 * Routes the inventories and notices from ingesters to their sessions, until `signal` aborts. It never waits for an
 * agent: if a session has no room for an inventory, the run fails; if it has none for a notice, the notice is dropped.
 * If the session is gone, both are dropped: the run was superseded with it.
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
        log.error("message from an ingester dropped", { error: toMessage(error) });
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
  const event = decodeEvent(delivery);
  const { body } = event;
  if (body.case !== "reconciliationRequest" && body.case !== "refusedItems") {
    throw new TerminalError(
      `reply topic: expected reconciliation_request or refused_items, found ${body.case ?? "nothing"}`,
    );
  }
  const session = registry.find(event);
  if (session === undefined) {
    return;
  }
  if (body.case === "refusedItems") {
    session.outbox.notify(body.value);
    return;
  }
  const request = body.value;
  if (!request.inventories.every((inventory) => session.outbox.offer(toBatch(inventory, request.dryRun)))) {
    log.warn("run failed: agent too slow", {
      cluster: event.cluster,
      runId: request.runId,
    });
    await runs.failRun(signal, event, request.runId, {
      reason: "AgentTooSlow",
      message: "the agent did not read its inventories fast enough; its session had no room for more",
    });
  }
}

/** Creates the batch with one chunk of an inventory, which the agent compares. */
function toBatch({ resourceType, incarnation, objects, chunk }: ResourceInventory, isDryRun: boolean) {
  return create(BatchSchema, {
    ...(resourceType && { resourceType }),
    type: isDryRun ? BatchType.DRY_RUN : BatchType.RECONCILIATION,
    incarnation,
    items: objects.map((value) => ({ message: { case: "verifyObject" as const, value } })),
    ...(chunk && { chunk }),
  });
}
