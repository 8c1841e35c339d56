import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { type Batch, BatchType, RunRefSchema } from "../../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { RepairBatcher } from "../../../../src/agent/compare/repair-batcher.ts";
import { DEFAULT_AGENT_TUNING } from "../../../../src/agent/config.ts";
import type { ResourceContext } from "../../../../src/agent/resource-context.ts";
import type { UplinkSession } from "../../../../src/agent/uplink/session.ts";
import { VersionsWentBackError, VersionTracker } from "../../../../src/agent/watch/version-tracker.ts";
import { AgentWorld } from "../../../support/agent/agent-world.ts";
import { PODS, put } from "../../../support/store/messages.ts";

/** Compares a cluster of ConfigMaps with no rows, and returns the names in each batch of repairs. */
async function repair(names: readonly string[], value: string, maxItems: number, maxBytes: number) {
  await using world = new AgentWorld({}, { batch: { maxItems, maxBytes } });
  await world.start();
  await world.advance(2_000);
  world.intercept = ({ query }, go) => (query?.["watch"] === undefined ? go() : new Promise(() => {}));
  for (const name of names) {
    world.cluster.faults.loseNextWatchEvent("configmaps");
    world.configMap(name, value);
  }
  const runId = world.backend.ask("configmaps");
  await world.advance(5_000);
  expect(world.backend.contents("configmaps")).toEqual(world.truth());
  const batches = world.backend.received.flatMap(({ message }) =>
    message.case === "batch" ? [message.value] : [],
  );
  expect(batches.map(({ run }) => run?.runId)).toEqual(batches.map(() => runId));
  return batches.map(({ items }) => items.map(({ message }) => message.value?.ref?.name));
}

describe("the repairs of a run", () => {
  it("are sent in batches of at most the highest number of items", async () => {
    expect(await repair(["a", "b", "c", "d", "e"], "1", 2, 1_000_000)).toEqual([
      ["a", "b"],
      ["c", "d"],
      ["e"],
    ]);
  });

  it("are sent in batches of at most the highest number of bytes, a larger object alone", async () => {
    expect(await repair(["a", "b", "c"], "x".repeat(1_000), 100, 3_500)).toEqual([["a", "b"], ["c"]]);
    expect(await repair(["a", "b"], "x".repeat(5_000), 100, 3_500)).toEqual([["a"], ["b"]]);
  });

  it("are sent in no batch if there are none", async () => {
    expect(await repair([], "1", 2, 1_000_000)).toEqual([]);
  });

  it("are not sent if their incarnation ends while they wait for room (R16)", async () => {
    const incarnation = new AbortController();
    const sent: Batch[] = [];
    const session = {
      async whenRoom(caller: AbortSignal, add: () => void) {
        incarnation.abort(new VersionsWentBackError());
        caller.throwIfAborted();
        add();
      },
      sendRunBatch: (batch: Batch) => void sent.push(batch),
    } as unknown as UplinkSession;
    const context = { resourceType: PODS, versions: new VersionTracker(), tuning: DEFAULT_AGENT_TUNING };
    const run = create(RunRefSchema, { runId: "r", attempt: 1 });
    const batcher = new RepairBatcher(
      context as unknown as ResourceContext,
      session,
      run,
      BatchType.DEFAULT,
      (item) => item,
    );
    await batcher.add(incarnation.signal, put("a/x", { observed: 1 }));
    await expect(batcher.flush(incarnation.signal)).rejects.toThrow("went back");
    expect(sent).toEqual([]);
  });
});
