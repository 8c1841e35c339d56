import { expect } from "vitest";
import { ReconciliationTrigger } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { AgentWorld } from "./agent-world.ts";

/**
 * Starts an agent of a cluster with a ConfigMap of each name and the value "1", and waits until the run on connect has
 * copied them.
 */
export async function syncedWorld(
  names: readonly string[],
  ...options: ConstructorParameters<typeof AgentWorld>
): Promise<AgentWorld> {
  const world = new AgentWorld(...options);
  for (const name of names) {
    world.configMap(name, "1");
  }
  await world.start();
  world.backend.ask("configmaps", { trigger: ReconciliationTrigger.CONNECT });
  await world.advance(2_000);
  expect(world.backend.contents("configmaps")).toEqual(world.truth());
  return world;
}
