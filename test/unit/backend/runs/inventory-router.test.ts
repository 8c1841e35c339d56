import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Batch, BatchType, RefusedItemsSchema } from "../../../../gen/proto/evenkeel/v1/batch_pb.ts";
import {
  type ResourceInventory,
  ResourceInventorySchema,
} from "../../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import { routeInventories } from "../../../../src/backend/runs/inventory-router.ts";
import type { Session } from "../../../../src/backend/sync/session.ts";
import { SessionRegistry } from "../../../../src/backend/sync/session-registry.ts";
import type { Producer } from "../../../../src/bus/bus.ts";
import { createMemoryBus, type MemoryBus } from "../../../../src/bus/memory/memory-bus.ts";
import { encodeEvent } from "../../../../src/event/codec.ts";
import { BACKEND_SUBSCRIPTION } from "../../../../src/event/topics.ts";
import { RetryableError } from "../../../../src/lib/errors.ts";
import { RecordingRunStore } from "../../../support/backend/recording-run-store.ts";
import { createSession, requestOf } from "../../../support/backend/session-for-test.ts";
import { createTestLog } from "../../../support/vitest/test-log.ts";

const TOPIC = "replies/test";
const RUN = "0d6b1c4e-6f0a-4c9e-9a54-0f6d2b3c1a77";
const OTHER_RUN = "b4c8e6a2-55c1-4c0b-8d4b-5a0f8f6f2a11";

function inventory(resource: string, names: readonly string[] = []): ResourceInventory {
  return create(ResourceInventorySchema, {
    resourceType: { version: "v1", resource },
    incarnation: 5n,
    objects: names.map((name) => ({ ref: { namespace: "a", name } })),
    chunk: { run: { runId: RUN, attempt: 2 }, range: {} },
  });
}

describe("routeInventories", () => {
  let bus: MemoryBus;
  let stop: AbortController;
  let registry: SessionRegistry;
  let runs: RecordingRunStore;
  let producer: Producer;
  let routing: Promise<void>;

  beforeEach(async () => {
    bus = createMemoryBus();
    stop = new AbortController();
    registry = new SessionRegistry();
    runs = new RecordingRunStore();
    producer = await bus.createProducer(stop.signal, TOPIC);
    const consumer = await bus.subscribe(stop.signal, {
      topic: TOPIC,
      subscription: BACKEND_SUBSCRIPTION,
      maxUnacknowledged: 1,
      maxPrefetched: 1,
    });
    await consumer.close();
    routing = start();
  });
  afterEach(async () => {
    stop.abort(new Error("the test has ended"));
    await expect(routing).rejects.toThrow("the test has ended");
    await bus.close();
  });

  const start = (): Promise<void> => {
    const started = routeInventories(stop.signal, {
      bus,
      replyTopic: TOPIC,
      registry,
      runs,
      log: createTestLog("router"),
    });
    started.catch(() => {});
    return started;
  };
  const open = (cluster: string): Session => {
    const session = createSession({ cluster });
    registry.add(session);
    return session;
  };
  const answer = async (
    { identity }: Pick<Session, "identity">,
    inventories: readonly ResourceInventory[],
    runId = RUN,
    dryRun = false,
  ): Promise<void> => {
    const value = { ...requestOf(runId), inventories: [...inventories], dryRun };
    const event = encodeEvent(identity, {
      sequence: 0n,
      publishTime: new Date(0),
      body: { case: "reconciliationRequest", value },
    });
    await producer.publish(stop.signal, event);
  };
  const next = async (session: Session): Promise<Batch> => {
    const { value } = await session.outbox.take(stop.signal).next();
    if (value?.message?.case !== "batch") {
      throw new Error(`expected a batch, found ${value?.message?.case}`);
    }
    return value.message.value as Batch;
  };
  /** Waits until all earlier messages are routed: routing is in order. */
  const settle = async (): Promise<void> => {
    const probe = open(`probe-${crypto.randomUUID()}`);
    await answer(probe, [inventory("probes")]);
    await next(probe);
  };

  it("offers each inventory to its session as a batch of type RECONCILIATION", async () => {
    const session = open("c1");
    await answer(session, [inventory("pods", ["x", "y"])]);
    const batch = await next(session);
    expect(batch).toMatchObject({
      resourceType: { version: "v1", resource: "pods" },
      type: BatchType.RECONCILIATION,
      incarnation: 5n,
      chunk: { run: { runId: RUN, attempt: 2 }, range: {} },
    });
    expect(
      batch.items.map(({ message }) => [
        message.case,
        message.case === "verifyObject" && message.value.ref?.name,
      ]),
    ).toEqual([
      ["verifyObject", "x"],
      ["verifyObject", "y"],
    ]);
  });

  it("offers the inventories of a dry run as batches of type DRY_RUN (R82)", async () => {
    const session = open("c1");
    await answer(session, [inventory("pods", ["x"])], RUN, true);
    expect(await next(session)).toMatchObject({ type: BatchType.DRY_RUN, chunk: { run: { runId: RUN } } });
  });

  it("drops inventories for a session that is gone, and continues", async () => {
    await answer(createSession({ cluster: "gone" }), [inventory("pods")]);
    const older = open("c1");
    await answer({ identity: { ...older.identity, epoch: 6n } }, [inventory("old")]);
    await answer(older, [inventory("pods")]);
    expect((await next(older)).resourceType?.resource).toBe("pods");
    expect(runs.failed).toEqual([]);
  });

  it("R94: offers a notice to its session, and drops that of another epoch", async () => {
    const session = open("c1");
    const notify = async (epoch: bigint, sequence: bigint): Promise<void> => {
      const value = create(RefusedItemsSchema, { sequence, total: 1 });
      const body = { case: "refusedItems" as const, value };
      const event = encodeEvent(
        { ...session.identity, epoch },
        { sequence: 0n, publishTime: new Date(0), body },
      );
      await producer.publish(stop.signal, event);
    };
    await notify(6n, 1n);
    await notify(8n, 2n);
    await notify(7n, 3n);
    await answer(session, [inventory("pods")]);
    const { value } = await session.outbox.take(stop.signal).next();
    expect(value?.message).toMatchObject({ case: "refusedItems", value: { sequence: 3n, total: 1 } });
    expect(runs.failed).toEqual([]);
  });

  it("fails the run of an agent that is too slow, and delays no other agent (R36)", async () => {
    const slow = open("slow");
    const quick = open("quick");
    // One message with as many chunks as a session has room for, and one more.
    await answer(
      slow,
      Array.from({ length: 1000 }, () => inventory("pods")),
    );
    await answer(slow, [inventory("pods")], OTHER_RUN);
    await answer(quick, [inventory("pods")]);
    await next(quick);
    expect(runs.failed).toEqual([{ runId: OTHER_RUN, reason: "AgentTooSlow" }]);
  });

  it("drops messages that are no inventories, and continues", async () => {
    await producer.publish(stop.signal, { key: "k", payload: new Uint8Array([255, 255]) });
    const { identity } = createSession();
    const scope = { case: "scopeDeclared" as const, value: { generation: 1n, resources: [] } as never };
    await producer.publish(
      stop.signal,
      encodeEvent(identity, { sequence: 1n, publishTime: new Date(0), body: scope }),
    );
    await settle();
  });

  it("processes a message again after the database was unreachable", async () => {
    const slow = open("slow");
    for (let index = 0; index < 1000; index += 1) {
      slow.outbox.offer(await toBatch(index));
    }
    runs.failRun = () => Promise.reject(new RetryableError("Postgres is not available"));
    await answer(slow, [inventory("pods")]);
    await expect(routing).rejects.toThrow("Postgres is not available");
    delete (runs as Partial<RecordingRunStore>).failRun;
    routing = start();
    await settle();
    expect(runs.failed).toEqual([{ runId: RUN, reason: "AgentTooSlow" }]);
  });

  async function toBatch(index: number): Promise<Batch> {
    const session = open(`source-${index}`);
    await answer(session, [inventory("pods")]);
    return await next(session);
  }
});
