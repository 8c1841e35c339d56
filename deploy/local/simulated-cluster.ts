/** Runs a simulated cluster as a process: writes its kubeconfig, and changes its objects until SIGTERM. */
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { createSystemClock } from "../../src/lib/clock.ts";
import { createPinoLog } from "../../src/lib/pino-log.ts";
import { createSeededRandom } from "../../src/lib/random.ts";
import { createApiServer } from "../../src/simulation/api-server.ts";
import { SimulatedCluster } from "../../src/simulation/simulated-cluster.ts";
import { createWorkload } from "../../src/simulation/workload.ts";

const { values } = parseArgs({
  options: { seed: { type: "string", default: "1" }, kubeconfig: { type: "string" } },
});
const clock = createSystemClock();
const cluster = new SimulatedCluster({
  clock,
  random: createSeededRandom(Number(values.seed)),
  firstRevision: clock.now().getTime(),
});
const stop = new AbortController();
process.once("SIGTERM", () => stop.abort());
const workload = createWorkload({ cluster });
await using api = await createApiServer(stop.signal, { cluster, log: createPinoLog({ level: "info" }) });
const kubeconfig = {
  apiVersion: "v1",
  kind: "Config",
  // Clients refuse plain HTTP without this flag, although there is no TLS to verify.
  clusters: [{ name: "simulated", cluster: { server: api.url, "insecure-skip-tls-verify": true } }],
  users: [{ name: "anybody", user: {} }],
  contexts: [{ name: "simulated", context: { cluster: "simulated", user: "anybody" } }],
  "current-context": "simulated",
};
writeFileSync(values.kubeconfig ?? "kubeconfig", JSON.stringify(kubeconfig, null, 2), { mode: 0o600 });
const running = workload.run(stop.signal);
if (!stop.signal.aborted) {
  await once(stop.signal, "abort");
}
await running;
