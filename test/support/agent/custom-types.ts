import { ReconciliationTrigger } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import type { SimulatedCluster } from "../../../src/simulation/simulated-cluster.ts";
import { AgentWorld } from "./agent-world.ts";

/** Returns the keys of this many custom resource types, such as "types000.example.com". */
export function customTypes(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `types${String(i).padStart(3, "0")}.example.com`);
}

/** Creates an agent of a cluster that serves these custom resource types, each with one object of the value "1". */
export function createCustomWorld(
  resourceKeys: readonly string[],
  tuning: ConstructorParameters<typeof AgentWorld>[1] = {},
): AgentWorld {
  const world = new AgentWorld({ resources: ["*.example.com"] }, tuning);
  defineCustomTypes(world.cluster, resourceKeys);
  return world;
}

/** Defines custom resource types, each with one object of the value "1". */
export function defineCustomTypes(cluster: SimulatedCluster, resourceKeys: readonly string[]): void {
  for (const key of resourceKeys) {
    const [plural = "", ...group] = key.split(".");
    const kind = plural.replace("types", "Type");
    cluster.create({
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: key },
      spec: {
        group: group.join("."),
        scope: "Namespaced",
        names: { plural, singular: plural.slice(0, -1), kind },
        versions: [{ name: "v1", served: true, storage: true }],
      },
    });
    cluster.create({
      apiVersion: `${group.join(".")}/v1`,
      kind,
      metadata: { namespace: "default", name: "only" },
      spec: { value: "1" },
    });
  }
}

/** Changes the object of each resource type. */
export function changeAll({ cluster }: AgentWorld, resourceKeys: readonly string[], value: string): void {
  for (const key of resourceKeys) {
    cluster.update(key, "default", "only", (object) => ({ ...object, spec: { value } }));
  }
}

/** Requests a comparison of each resource type in one run, in this order; returns the run's ID. */
export function askAll(
  { backend }: AgentWorld,
  resourceKeys: readonly string[],
  trigger: ReconciliationTrigger = ReconciliationTrigger.INTERVAL,
): string | undefined {
  let runId: string | undefined;
  for (const key of resourceKeys) {
    runId = backend.ask(key, runId === undefined ? { trigger } : { trigger, runId });
  }
  return runId;
}
