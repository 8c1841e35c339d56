import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { BatchSchema, BatchType } from "../../../../gen/proto/evenkeel/v1/batch_pb.ts";
import type { ResourceReconciled } from "../../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import { ComparisonWorker } from "../../../../src/agent/compare/comparison-worker.ts";
import { createAgentCounters } from "../../../../src/agent/metrics.ts";
import type { UplinkSession } from "../../../../src/agent/uplink/session.ts";
import { syncedWorld } from "../../../support/agent/synced-world.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { CONFIG_MAPS, put } from "../../../support/store/messages.ts";
import { createTestLog } from "../../../support/vitest/test-log.ts";

describe("the worker that compares", () => {
  it("ignores late parts of a run that another run replaced (R12)", async () => {
    await using world = await syncedWorld(["a", "b", "c", "d"]);
    const compared = world.backend.reconciled.length;
    const older = world.backend.ask("configmaps", { chunkSize: 2, only: [0] });
    await world.advance(500);
    const newer = world.backend.ask("configmaps", { chunkSize: 2, only: [0] });
    await world.advance(500);
    world.backend.ask("configmaps", { chunkSize: 2, only: [1], runId: older });
    await world.advance(500);
    world.backend.ask("configmaps", { chunkSize: 2, only: [1], runId: newer });
    await world.advance(2_000);
    const ended = world.backend.reconciled.slice(compared);
    expect(ended).toMatchObject([{ run: { runId: newer }, equal: 4n, put: 0n, deleted: 0n }]);
    expect(ended[0]?.failure).toBeUndefined();
  });

  it("starts over with a higher attempt, and ignores late parts of the lower one (R33)", async () => {
    await using world = await syncedWorld(["a", "b", "c", "d", "e", "f"]);
    const runId = world.backend.ask("configmaps", { chunkSize: 2, only: [0] });
    await world.advance(500);
    world.backend.ask("configmaps", { chunkSize: 3, only: [0], runId, attempt: 2 });
    world.backend.ask("configmaps", { chunkSize: 2, only: [1, 2], runId, attempt: 1 });
    await world.advance(500);
    expect(world.backend.reconciled).toHaveLength(1);
    world.backend.ask("configmaps", { chunkSize: 3, only: [1], runId, attempt: 2 });
    await world.advance(2_000);
    expect(world.backend.reconciled).toHaveLength(2);
    expect(world.backend.reconciled.at(-1)).toMatchObject({
      run: { attempt: 2 },
      equal: 6n,
      put: 0n,
      deleted: 0n,
    });
    expect(world.backend.reconciled.at(-1)?.failure).toBeUndefined();
  });

  it("fails a comparison when more of inventories waits than the limit", async () => {
    await using world = await syncedWorld(
      Array.from({ length: 100 }, (_, i) => `c${i}`),
      {},
      { maxInventoryBytes: 1_000 },
    );
    world.backend.ask("configmaps", { chunkSize: 5 });
    await world.advance(70_000);
    expect(world.backend.reconciled.at(-1)?.failure?.reason).toBe("Overflow");
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
  });

  it("drops a comparison when its session ends, and compares for the next one", async () => {
    await using world = await syncedWorld(["a", "b"]);
    world.backend.ask("configmaps", { chunkSize: 1, only: [0] });
    await world.advance(100);
    world.backend.disconnect();
    await world.advance(5_000);
    world.backend.ask("configmaps");
    await world.advance(2_000);
    expect(world.backend.reconciled).toHaveLength(2);
    expect(world.backend.reconciled[1]).toMatchObject({ equal: 2n, firstSequence: 2n });
  });

  it("fails the comparison of a resource type that the agent does not read", async () => {
    await using world = await syncedWorld(["a"]);
    const runId = world.backend.ask("secrets", { chunkSize: 1 });
    world.backend.ask("secrets", { runId });
    await world.advance(2_000);
    expect(world.backend.reconciled.slice(1)).toMatchObject([
      { run: { runId }, resourceType: { resource: "secrets" }, failure: { reason: "NotInScope" } },
    ]);
  });

  it("ignores a part that comes after the end of its comparison", async () => {
    await using world = await syncedWorld(["a"]);
    const runId = world.backend.ask("configmaps");
    await world.advance(2_000);
    world.backend.ask("configmaps", { runId });
    await world.advance(2_000);
    expect(world.backend.reconciled.map(({ run }) => run?.runId)).toEqual([expect.any(String), runId]);
    expect(world.agent.counters.comparisonsSucceeded).toBe(2);
  });

  it("fails the comparison of an inventory with anything but VerifyObjects, and compares the next one", async () => {
    await using world = await syncedWorld(["a"]);
    const run = { runId: "00000000-0000-4000-8000-0000000000ff", attempt: 1 };
    const value = create(BatchSchema, {
      resourceType: CONFIG_MAPS,
      type: BatchType.RECONCILIATION,
      items: [put("default/a")],
      chunk: { run, range: {} },
    });
    world.backend.send({ case: "batch", value });
    await world.advance(2_000);
    expect(world.backend.reconciled.at(-1)).toMatchObject({
      run,
      failure: { message: expect.stringContaining("expected VerifyObject, found putObject") },
    });
    expect(world.agent.counters.comparisonsFailed).toBe(1);
    world.backend.ask("configmaps");
    await world.advance(2_000);
    expect(world.backend.reconciled.at(-1)).toMatchObject({ equal: 1n });
  });

  it("logs a batch without a run, and goes on", () => {
    const { log, worker } = createWorker();
    worker.compare(createStubSession().session, create(BatchSchema, { resourceType: CONFIG_MAPS }));
    expect(log.lines).toEqual([
      expect.stringMatching(/^error reconciliation batch without resource type, chunk or run/),
    ]);
  });

  it("reports a refused batch of the present session, and none of one that has ended", () => {
    const { worker } = createWorker();
    const { session, end, reconciled } = createStubSession();
    const refused = create(BatchSchema, {
      resourceType: CONFIG_MAPS,
      chunk: { run: { runId: "00000000-0000-4000-8000-000000000001", attempt: 1 } },
    });
    worker.refuse(session, refused, new Error("cannot process it"));
    expect(reconciled).toMatchObject([{ firstSequence: 5n, failure: { message: "cannot process it" } }]);
    end.abort();
    worker.refuse(session, refused, new Error("cannot process it"));
    expect(reconciled).toHaveLength(1);
  });
});

function createWorker() {
  const log = createTestLog("worker");
  const reflectorOf = () => undefined;
  const counters = createAgentCounters();
  const clock = new ManualClock();
  const limits = { maxComparisons: 1, comparisonSlotMs: 60_000, maxInventoryBytes: 1_000 };
  const failures = { failed: () => {}, worked: () => {}, noticed: () => {} };
  return {
    log,
    worker: new ComparisonWorker({
      clock,
      log,
      failures,
      counters,
      limits,
      reflectorOf,
      resourceKeys: () => [],
    }),
  };
}

/** A session that keeps what it is given to send. */
function createStubSession() {
  const end = new AbortController();
  const reconciled: ResourceReconciled[] = [];
  const session: UplinkSession = {
    ...({} as UplinkSession),
    signal: end.signal,
    nextSequence: 5n,
    scopeGeneration: 1n,
    sendEnd: (_run, end) => void reconciled.push(end),
    releaseEnds: () => {},
  };
  return { session, end, reconciled };
}
