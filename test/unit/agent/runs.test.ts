import { expect, it } from "vitest";
import { AgentWorld } from "../../support/agent/agent-world.ts";

it("ignores what comes late of a run that another took the place of (R12)", async () => {
  await using world = new AgentWorld();
  for (const name of ["a", "b", "c", "d"]) {
    world.configMap(name, "1");
  }
  await world.start();
  world.backend.ask("v1/configmaps");
  await world.settle(2_000);
  const compared = world.backend.reconciled.length;
  const older = world.backend.ask("v1/configmaps", { chunkSize: 2, only: [0] });
  await world.settle(500);
  const newer = world.backend.ask("v1/configmaps", { chunkSize: 2, only: [0] });
  await world.settle(500);
  world.backend.ask("v1/configmaps", { chunkSize: 2, only: [1], runId: older });
  await world.settle(500);
  world.backend.ask("v1/configmaps", { chunkSize: 2, only: [1], runId: newer });
  await world.settle(2_000);
  const ended = world.backend.reconciled.slice(compared);
  expect(ended).toMatchObject([{ runId: newer, equal: 4n, put: 0n, deleted: 0n }]);
  expect(ended[0]?.failure).toBeUndefined();
});
