import type { DevConfig } from "../config/programs/dev.ts";
import { resourceTypeKey } from "../domain/resource-type.ts";
import type { KubeConfigSource } from "../kube/load-kube-config.ts";
import { NEVER } from "../lib/abort.ts";
import { createSystemClock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { createSeededRandom } from "../lib/random.ts";
import { ANONYMOUS_ACCOUNT } from "../rpc/auth/authenticator.ts";
import { createApiServer } from "../simulation/api-server.ts";
import { SimulatedCluster } from "../simulation/simulated-cluster.ts";
import { createWorkload } from "../simulation/workload.ts";
import type { InjectedDrift } from "./drift.ts";
import { createDriftInjector } from "./drift-injector.ts";

/** A served simulated cluster with its workload and drift. */
export interface Simulation extends AsyncDisposable {
  readonly source: KubeConfigSource;
  /** Description for the output: size, and the command to read it. */
  readonly description: string;
  /** Changes objects and breaks rows, as configured, until `signal` aborts. */
  run(signal: AbortSignal, onDrift: (drift: InjectedDrift) => void): Promise<void>;
}

/** Constant seed. Every start creates the same cluster, so a persistent database fits it. */
const SEED = 7;

/** Starts the simulated cluster of `evenkeel dev`. */
export async function startSimulation(
  config: Pick<DevConfig, "cluster" | "churn" | "drift" | "driftIntervalMs">,
  databaseUrl: string,
  log: Log,
): Promise<Simulation> {
  const clock = createSystemClock();
  const cluster = new SimulatedCluster({
    clock,
    random: createSeededRandom(SEED),
    // Above the versions of an earlier process: it made fewer than one write per millisecond.
    firstRevision: clock.now().getTime(),
  });
  const workload = createWorkload({ cluster });
  const api = await createApiServer(NEVER, { cluster, log });
  const injector = createDriftInjector({
    cluster,
    databaseUrl,
    target: { account: ANONYMOUS_ACCOUNT, cluster: config.cluster },
    intervalMs: config.driftIntervalMs,
  });
  const count = cluster
    .resources()
    .reduce((sum, resourceType) => sum + cluster.list(resourceTypeKey(resourceType)).length, 0);
  return {
    source: { type: "server", url: api.url },
    description: `simulated, ${count} objects: kubectl --server=${api.url} get pods -A`,
    async run(signal, onDrift) {
      await Promise.all([
        config.churn ? workload.run(signal) : undefined,
        config.drift ? injector.run(signal, onDrift) : undefined,
      ]);
    },
    [Symbol.asyncDispose]: () => api[Symbol.asyncDispose](),
  };
}
