import { rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KubeTransport } from "../../../src/kube/kube.ts";
import { createSystemClock } from "../../../src/lib/clock.ts";
import type { Random } from "../../../src/lib/random.ts";
import { createApiServer } from "../../../src/simulation/api-server.ts";
import { SimulatedCluster } from "../../../src/simulation/simulated-cluster.ts";
import { createSimulatedTransport } from "../../../src/simulation/simulated-transport.ts";
import { createWorkload, type Workload } from "../../../src/simulation/workload.ts";
import { createTestLog } from "../vitest/test-log.ts";

/** A simulated cluster, served to agents in other processes. */
export interface SimulatedKube extends AsyncDisposable {
  readonly cluster: SimulatedCluster;
  readonly workload: Workload;
  /** Transport to the same cluster without a socket. */
  readonly transport: KubeTransport;
  readonly kubeconfigPath: string;
}

/** Fills a cluster and serves it. Nothing changes before the workload runs. */
export async function createSimulatedKube(random: Random): Promise<SimulatedKube> {
  const cluster = new SimulatedCluster({ clock: createSystemClock(), random });
  const workload = createWorkload({ cluster, changeIntervalMs: 20 });
  const api = await createApiServer(new AbortController().signal, {
    cluster,
    log: createTestLog("simulated API server"),
  });
  const kubeconfigPath = join(tmpdir(), `evenkeel-kubeconfig-${random.uuid()}.json`);
  writeFileSync(kubeconfigPath, JSON.stringify(toKubeconfig(api.url)), { mode: 0o600 });
  return {
    cluster,
    workload,
    transport: createSimulatedTransport(cluster),
    kubeconfigPath,
    async [Symbol.asyncDispose]() {
      await api[Symbol.asyncDispose]();
      rmSync(kubeconfigPath, { force: true });
    },
  };
}

function toKubeconfig(server: string): object {
  return {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "test", cluster: { server, "insecure-skip-tls-verify": true } }],
    users: [{ name: "test", user: {} }],
    contexts: [{ name: "test", context: { cluster: "test", user: "test" } }],
    "current-context": "test",
  };
}
