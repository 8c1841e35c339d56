import { describe } from "vitest";
import { createSystemClock } from "../../src/lib/clock.ts";
import { createSeededRandom } from "../../src/lib/random.ts";
import { SimulatedCluster } from "../../src/simulation/simulated-cluster.ts";
import { createSimulatedTransport } from "../../src/simulation/simulated-transport.ts";
import { itIsAKubeApi, type KubeApiFixture } from "./kube-api.ts";

describe("the simulated cluster is a Kubernetes API", () => {
  const cluster = new SimulatedCluster({ clock: createSystemClock(), random: createSeededRandom(1) });
  const fixture: KubeApiFixture = {
    transport: createSimulatedTransport(cluster),
    createConfigMap: async (namespace, name, value) => {
      cluster.create({ apiVersion: "v1", kind: "ConfigMap", metadata: { namespace, name }, data: { value } });
    },
    updateConfigMap: async (namespace, name, value) => {
      cluster.update("configmaps", namespace, name, (object) => ({ ...object, data: { value } }));
    },
    deleteConfigMap: async (namespace, name) => {
      cluster.delete("configmaps", namespace, name);
    },
  };
  itIsAKubeApi(() => fixture);
});
