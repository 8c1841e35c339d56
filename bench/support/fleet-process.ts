import { setTimeout as sleep } from "node:timers/promises";
import { createAgent } from "../../src/agent/agent.ts";
import { createSystemClock } from "../../src/lib/clock.ts";
import { createSilentLog } from "../../src/lib/log.ts";
import { createSeededRandom, createSystemRandom } from "../../src/lib/random.ts";
import { noMetrics, noTracer } from "../../src/lib/telemetry.ts";
import { createSyncClient } from "../../src/rpc/client/sync-client.ts";
import { SimulatedCluster } from "../../src/simulation/simulated-cluster.ts";
import { createSimulatedTransport } from "../../src/simulation/simulated-transport.ts";
import { namespaceObject } from "../../src/simulation/workload-objects.ts";
import { createPod } from "./create-pod.ts";
import type { FleetChange, FleetOrder, FleetReport } from "./fleet-messages.ts";

// The agents of many clusters in one process: a process for each would measure the starts of Node.
const clusters = new Map<string, SimulatedCluster>();
const { signal } = new AbortController();
const clock = createSystemClock();

process.on("message", async (order: FleetOrder) => {
  switch (order.type) {
    case "start":
      start(order);
      report({ type: "started" });
      break;
    case "change":
      report({ type: "changed", changes: await change(order.count, order.everyMs) });
      break;
    default:
      order satisfies never;
  }
});
process.on("disconnect", () => process.exit());

function start(order: Extract<FleetOrder, { type: "start" }>): void {
  for (const [seed, name] of order.clusters.entries()) {
    const cluster = new SimulatedCluster({ clock, random: createSeededRandom(seed + 1) });
    cluster.create(namespaceObject("kube-system"));
    for (let index = 0; index < order.objects; index++) {
      cluster.create(createPod(index, order.contentBytes));
    }
    clusters.set(name, cluster);
    const agent = createAgent({
      ...{ cluster: name, resources: ["pods"], excludeResources: [], namespaces: [], agentVersion: "bench" },
      kube: createSimulatedTransport(cluster),
      openSync: createSyncClient(order.server, undefined),
      ...{ clock, random: createSystemRandom(), log: createSilentLog() },
      ...{ metrics: noMetrics, tracer: noTracer },
    });
    void agent.run(signal);
  }
}

async function change(count: number, everyMs: number): Promise<FleetChange[]> {
  const changes: FleetChange[] = [];
  const names = [...clusters.keys()];
  const started = performance.now();
  for (let index = 0; index < count; index++) {
    const wait = started + index * everyMs - performance.now();
    if (wait > 0) {
      await sleep(wait);
    }
    const name = names[index % names.length] ?? "";
    const cluster = clusters.get(name);
    const pod = cluster?.list("pods")[Math.floor(index / names.length)];
    if (cluster === undefined || pod === undefined) {
      throw new Error(`fleet: no object for change ${index}`);
    }
    const at = String(process.hrtime.bigint());
    const { namespace = "", name: podName } = pod.metadata;
    const { metadata } = cluster.update("pods", namespace, podName, (old) => ({
      ...old,
      status: { phase: "Running", restarts: index },
    }));
    changes.push({ id: `${name}/${metadata.resourceVersion}`, at });
  }
  return changes;
}

function report(message: FleetReport): void {
  process.send?.(message);
}
