import { createAgent } from "../agent/agent.ts";
import { DEFAULT_AGENT_TUNING } from "../agent/agent-config.ts";
import type { AgentConfig } from "../config/agent-config.ts";
import { isExposed } from "../config/is-exposed.ts";
import { type KubeConfigSource, loadKubeConfig } from "../kube/load-kube-config.ts";
import { createNodeTransport } from "../kube/node-transport.ts";
import type { Log } from "../lib/log.ts";
import { createPinoLog } from "../lib/pino-log.ts";
import { createSystemClock } from "../lib/system-clock.ts";
import { createSystemRandom } from "../lib/system-random.ts";
import { createSyncClient } from "../rpc/sync-client.ts";
import { createTokenSource } from "../rpc/token-source.ts";
import { limitGarbage } from "./limit-garbage.ts";
import { readVersion } from "./read-version.ts";

/** What an agent reads, and where it delivers it. */
export type AgentSettings = Pick<
  AgentConfig,
  "server" | "token" | "tokenFile" | "cluster" | "kinds" | "excludes" | "namespaces"
>;

/** Runs `evenkeel agent` until `signal` aborts. */
export async function runAgent(signal: AbortSignal, config: AgentConfig): Promise<void> {
  using _ = limitGarbage();
  const log = createPinoLog({ level: config.logLevel });
  await runAgentOn(signal, config, fromKubeconfig(config), log);
}

/** Runs an agent on the cluster of a kubeconfig until `signal` aborts. */
export async function runAgentOn(
  signal: AbortSignal,
  { server, cluster, kinds, excludes, namespaces, token, tokenFile }: AgentSettings,
  source: KubeConfigSource,
  log: Log,
): Promise<void> {
  const tokenSource = createTokenSource({ token, tokenFile });
  if (tokenSource !== undefined && isExposed(server)) {
    log.warn("the token goes over the network without TLS: others may read it", { server });
  }
  const kube = createNodeTransport(loadKubeConfig(source));
  try {
    await createAgent({
      clock: createSystemClock(),
      random: createSystemRandom(),
      log,
      kube,
      openSync: createSyncClient(server, tokenSource),
      config: {
        cluster,
        kinds,
        excludedKinds: excludes,
        namespaces,
        agentVersion: readVersion(),
        tuning: DEFAULT_AGENT_TUNING,
      },
    }).run(signal);
  } finally {
    kube.close();
  }
}

/** The kubeconfig that was named, or where kubectl would look. */
export function fromKubeconfig({
  kubeconfig,
  context,
}: Pick<AgentConfig, "kubeconfig" | "context">): KubeConfigSource {
  return {
    kind: "kubeconfig",
    ...(kubeconfig !== undefined && { path: kubeconfig }),
    ...(context !== undefined && { context }),
  };
}
