import { KubeConfig } from "@kubernetes/client-node";
import { createAgent } from "../../../src/agent/agent.ts";
import { createKubeTransport } from "../../../src/kube/http-transport.ts";
import { createSystemClock } from "../../../src/lib/clock.ts";
import { toMessage } from "../../../src/lib/errors.ts";
import { createSilentLog } from "../../../src/lib/log.ts";
import { createSystemRandom } from "../../../src/lib/random.ts";
import { noMetrics, noTracer } from "../../../src/lib/telemetry.ts";
import { createSyncClient, type SyncClient } from "../../../src/rpc/client/sync-client.ts";
import { createKubeconfig } from "../create-kubeconfig.ts";
import {
  FLEET_RESOURCES,
  type FleetAgent,
  type FleetAgentsOrder,
  type FleetAgentsReport,
} from "./messages.ts";

// The agents of many clusters in one process: a process for each would measure the starts of Node.
const { signal } = new AbortController();

process.on("message", ({ agents, servers }: FleetAgentsOrder) => {
  for (const [index, agent] of agents.entries()) {
    void run(agent, takeTurns(servers, index, agent.token));
  }
  report({ type: "started" });
});
process.on("disconnect", () => process.exit());

async function run({ cluster, apiUrl }: FleetAgent, openSync: SyncClient): Promise<void> {
  const config = new KubeConfig();
  config.loadFromString(createKubeconfig(apiUrl));
  const agent = createAgent({
    ...{ cluster, resources: FLEET_RESOURCES, excludeResources: [], namespaces: [], agentVersion: "bench" },
    ...{ kube: createKubeTransport(config), openSync },
    ...{ clock: createSystemClock(), random: createSystemRandom(), log: createSilentLog() },
    ...{ metrics: noMetrics, tracer: noTracer },
  });
  await agent
    .run(signal)
    .catch((error: unknown) => report({ type: "failed", message: `${cluster}: ${toMessage(error)}` }));
}

/** Returns a client that uses the next server at each connection, as behind a load balancer. */
function takeTurns(servers: readonly string[], first: number, token: string | undefined): SyncClient {
  const source = token === undefined ? undefined : { read: () => token, isRenewable: false };
  const clients = servers.map((server) => createSyncClient(server, source));
  let turn = first;
  return (callSignal, requests) => {
    const client = clients[turn++ % clients.length];
    if (client === undefined) {
      throw new Error("agents: expected at least one server, found none");
    }
    return client(callSignal, requests);
  };
}

function report(message: FleetAgentsReport): void {
  process.send?.(message);
}
