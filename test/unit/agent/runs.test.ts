import { expect, it } from "vitest";
import { ownObservedVersionOf } from "../../../src/domain/observations.ts";
import { AgentWorld } from "../../support/agent/agent-world.ts";

it("ignores what comes late of a run that another took the place of (R12)", async () => {
  await using world = new AgentWorld();
  for (const name of ["a", "b", "c", "d"]) {
    world.configMap(name, "1");
  }
  await world.start();
  world.backend.ask("configmaps");
  await world.advance(2_000);
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

it("deletes what a list lacks at the list's version, so that what was observed later stays (R2)", async () => {
  await using world = new AgentWorld();
  world.configMap("a", "1");
  world.configMap("ghost", "1");
  await world.start();
  world.backend.ask("configmaps");
  await world.advance(2_000);
  // A row that the cluster does not have: the backend missed the Delete.
  const ghost = world.backend.rows.get("configmaps")?.get("default/ghost");
  world.cluster.delete("configmaps", "default", "ghost");
  await world.advance();
  if (ghost !== undefined) {
    world.backend.rows.get("configmaps")?.set("default/ghost", ghost);
  }
  const listed = world.cluster.store.revision;
  world.backend.ask("configmaps");
  await world.advance(2_000);
  const deletes = world.backend.received.flatMap(({ message }) =>
    message.case === "batch" && message.value.run !== undefined
      ? message.value.items.flatMap((item) =>
          item.message.case === "deleteObject" ? [ownObservedVersionOf(item)] : [],
        )
      : [],
  );
  expect(deletes).toEqual([String(listed)]);
  expect(world.backend.reconciled.at(-1)).toMatchObject({ deleted: 1n, listVersion: String(listed) });
});

it("reads acknowledgements also behind a batch that comes while others wait for room (R32)", async () => {
  await using world = new AgentWorld({}, { maxPendingBytes: 500, batch: { maxItems: 2, maxBytes: 1_000 } });
  world.backend.maxUnacknowledgedBytes = 500n;
  for (let index = 0; index < 30; index += 1) {
    world.configMap(`c${index}`, "1");
  }
  await world.start();
  world.backend.holdAcknowledgements = true;
  world.backend.ask("configmaps");
  await world.advance(2_000);
  world.backend.ask("configmaps");
  await world.advance(2_000);
  world.backend.holdAcknowledgements = false;
  world.backend.acknowledge();
  await world.advance(20_000);
  expect(world.backend.contents("configmaps")).toEqual(world.truth());
});
