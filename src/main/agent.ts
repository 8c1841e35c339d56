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
import { tuneGarbageCollection } from "./tune-gc.ts";

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
