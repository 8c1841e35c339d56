import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createAgent } from "../agent/agent.ts";
import { DEFAULT_AGENT_TUNING } from "../agent/config.ts";
import type { AgentConfig } from "../config/programs/agent.ts";
import { isExposed } from "../config/value-types.ts";
import { createKubeTransport } from "../kube/http-transport.ts";
import { type KubeConfigSource, loadKubeConfig } from "../kube/load-kube-config.ts";
import { createTokenSource } from "../lib/token-source.ts";
import { createSyncClient } from "../rpc/client/sync-client.ts";
import { readVersion } from "./read-version.ts";
import { configureRuntime, type Runtime } from "./runtime.ts";

/** Growth of all Buffers, unreachable ones included, that starts a garbage collection. */
const MAX_GROWTH_BYTES = 16 * 1024 * 1024;

/** Time between two checks, in milliseconds. */
const CHECK_MS = 50;

/**
 * Limits the memory of this process while the objects of a large cluster pass through it, until it is
 * disposed.
 *
 * By default V8 lets the young generation grow to 128 MB, and collects old Buffers only after they have grown
 * by 64 MB. Both stay resident, because neither V8 nor malloc returns memory that it may need again.
 * Therefore this fixes the size of the young generation and collects garbage early. A collection takes about
 * 40 ms, because few objects are alive.
 */
export function tuneGarbageCollection(): Disposable {
  setFlagsFromString("--semi-space-growth-factor=1");
  setFlagsFromString("--expose-gc");
  const collect: () => void = runInNewContext("gc");
  let least = readExternalBytes();
  const timer = setInterval(() => {
    const external = readExternalBytes();
    least = Math.min(least, external);
    if (external > least + MAX_GROWTH_BYTES) {
      collect();
      least = readExternalBytes();
    }
  }, CHECK_MS).unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/**
 * Returns the bytes of all Buffers. `process.memoryUsage()` returns the same figure, but it opens a file for
 * its other figures. It throws while no descriptor is free, and an error in a timer ends the process.
 */
function readExternalBytes(): number {
  return getHeapStatistics().external_memory;
}

/** The objects that an agent reads, and the server that receives them. */
export type AgentRunOptions = Partial<Pick<AgentConfig, "discoveryIntervalMs">> &
  Pick<
    AgentConfig,
    "server" | "token" | "tokenFile" | "cluster" | "resources" | "excludeResources" | "namespaces"
  >;

/** Runs `evenkeel agent` until `signal` aborts. */
export async function runAgent(signal: AbortSignal, config: AgentConfig): Promise<void> {
  using _ = tuneGarbageCollection();
  await using runtime = await configureRuntime("evenkeel-agent", config.telemetry);
  await runtime.serveProbes(signal, []);
  await runAgentOn(signal, config, fromKubeconfig(config), runtime);
}

/** Runs an agent on the cluster of a kubeconfig until `signal` aborts. */
export async function runAgentOn(
  signal: AbortSignal,
  options: AgentRunOptions,
  source: KubeConfigSource,
  runtime: Runtime,
): Promise<void> {
  const { server, cluster, resources, excludeResources, namespaces, token, tokenFile } = options;
  const { discoveryIntervalMs = DEFAULT_AGENT_TUNING.discoveryMs } = options;
  const tokenSource = createTokenSource({ token, tokenFile });
  if (tokenSource !== undefined && isExposed(server)) {
    runtime.log.warn("token sent without TLS; others on the network can read it", { server });
  }
  const kube = createKubeTransport(loadKubeConfig(source));
  try {
    await createAgent({
      ...runtime,
      kube,
      openSync: createSyncClient(server, tokenSource),
      ...{ cluster, resources, excludeResources, namespaces },
      agentVersion: readVersion(),
      tuning: { ...DEFAULT_AGENT_TUNING, discoveryMs: discoveryIntervalMs },
    }).run(signal);
  } finally {
    kube.close();
  }
}

/** Returns the configured kubeconfig, or the one that kubectl uses. */
export function fromKubeconfig({
  kubeconfig,
  kubeContext,
}: Pick<AgentConfig, "kubeconfig" | "kubeContext">): KubeConfigSource {
  return {
    type: "kubeconfig",
    ...(kubeconfig !== undefined && { path: kubeconfig }),
    ...(kubeContext !== undefined && { context: kubeContext }),
  };
}
