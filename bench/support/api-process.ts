import { setTimeout as sleep } from "node:timers/promises";
import { createSystemClock } from "../../src/lib/clock.ts";
import { createSilentLog } from "../../src/lib/log.ts";
import { createSystemRandom } from "../../src/lib/random.ts";
import { createApiServer } from "../../src/simulation/api-server.ts";
import { SimulatedCluster } from "../../src/simulation/simulated-cluster.ts";
import { configMapObject, namespaceObject } from "../../src/simulation/workload-objects.ts";
import type { ApiOrder, ApiReport } from "./api-messages.ts";
import { createPod } from "./create-pod.ts";
import { createDefinition, isCustomPath } from "./custom-types.ts";

// In its own process, so that the cost of the simulated API does not count as the agent's.
const cluster = new SimulatedCluster({ clock: createSystemClock(), random: createSystemRandom() });
cluster.create(namespaceObject("kube-system"));
const api = await createApiServer(new AbortController().signal, { cluster, log: createSilentLog() });

process.on("message", async (order: ApiOrder) => {
  switch (order.type) {
    case "fill":
      for (let index = 0; index < order.count; index++) {
        cluster.create(createPod(order.first + index, order.contentBytes));
      }
      report({ type: "filled" });
      break;
    case "change":
      await changePods(order.count, order.everyMs);
      break;
    case "configMaps":
      for (const name of order.names) {
        cluster.create(configMapObject("default", name, { value: order.value }));
      }
      report({ type: "filled" });
      break;
    case "define":
      define(order.count, order.isForbidden);
      report({ type: "filled" });
      break;
    default:
      order satisfies never;
  }
});
process.on("disconnect", () => process.exit());
report({ type: "listening", url: api.url });

/** Defines resource types, and refuses all requests of their objects if they are forbidden. */
function define(count: number, isForbidden: boolean): void {
  for (let index = 0; index < count; index++) {
    cluster.create(createDefinition(index));
  }
  if (isForbidden) {
    const times = Number.POSITIVE_INFINITY;
    cluster.faults.forceResponse({ status: 403, reason: "Forbidden", matches: isCustomPath, times });
  }
}

/** Changes one pod after the other, and reports each change with its time. */
async function changePods(count: number, everyMs: number): Promise<void> {
  const pods = cluster.list("pods");
  const start = performance.now();
  for (let index = 0; index < count; index++) {
    const pod = pods[index % pods.length];
    await sleep(Math.max(0, start + index * everyMs - performance.now()));
    const at = String(process.hrtime.bigint());
    const { metadata } = cluster.update(
      "pods",
      pod?.metadata.namespace ?? "",
      pod?.metadata.name ?? "",
      (old) => ({
        ...old,
        status: { phase: "Running", restarts: index },
      }),
    );
    report({ type: "changed", version: metadata.resourceVersion ?? "", at });
  }
}

function report(message: ApiReport): void {
  process.send?.(message);
}
