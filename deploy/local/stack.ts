/**
 * Runs a production setup of Evenkeel on this machine without Docker: a Pulsar broker, Postgres, a kube-apiserver and
 * two simulated clusters, two backends, two ingesters, and three agents in two accounts. All listen on the loopback
 * interface. Ctrl-C ends them and removes their data.
 */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { migrate } from "../../src/store/postgres/migrate.ts";
import { findBrokerDistribution } from "./components/broker-distribution.ts";
import { startBroker } from "./components/broker-server.ts";
import { findControlPlaneBinaries } from "./components/control-plane-binaries.ts";
import { startControlPlane } from "./components/control-plane-server.ts";
import { found } from "./components/missing.ts";
import { findPostgresBinaries } from "./components/postgres-binaries.ts";
import { startOwnPostgres } from "./components/postgres-server.ts";
import { createReaper } from "./components/reaper.ts";
import { type Service, startService } from "./service.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const directory = join(root, ".evenkeel", "stack");
const EVENKEEL = "src/main/evenkeel.ts";

const agents = [
  { account: "acme", cluster: "real", backend: 0, seed: undefined },
  { account: "acme", cluster: "simulated", backend: 1, seed: 1 },
  { account: "globex", cluster: "simulated", backend: 0, seed: 2 },
] as const;
const backendPorts = [7070, 7080] as const;
const ingesterNames = ["ingester-1", "ingester-2"] as const;

/** Longest time until all parts are ready, in milliseconds. */
const READY_TIMEOUT_MS = 60_000;

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const shown = (path: string): string => relative(process.cwd(), path);

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => stop.abort());
}

rmSync(directory, { recursive: true, force: true });
mkdirSync(directory, { recursive: true, mode: 0o700 });
await using stack = new AsyncDisposableStack();
const reaper = stack.use(createReaper());
found(findControlPlaneBinaries());
say("starting Postgres, Pulsar and a kube-apiserver; the first start downloads and builds them");
const [postgres, broker, controlPlane] = await Promise.all([
  startOwnPostgres(found(findPostgresBinaries()), reaper),
  startBroker({ distribution: found(findBrokerDistribution()), reaper }),
  startControlPlane(reaper),
]);
stack.defer(async () => {
  await Promise.all([postgres.stop(), broker.stop(), controlPlane.stop()]);
});
await migrate(postgres.url);
const busFlags = ["--bus-url", broker.webSocketUrl, "--bus-admin-url", broker.adminUrl];
run("admin", "topics", ...busFlags);

const keys = { private: join(directory, "tokens.key"), public: join(directory, "tokens.key.pub") };
run("token", "keygen", keys.private);
const kubeconfigOf = (account: string, cluster: string): string =>
  join(directory, `${account}-${cluster}.kubeconfig`);
copyFileSync(controlPlane.kubeconfigPath, kubeconfigOf("acme", "real"));

const services: Service[] = [];
const start = (name: string, ...args: readonly string[]): void => {
  services.push(startService(name, args, { directory, reaper }));
};
stack.defer(async () => {
  // Agents first, simulated clusters last: each part ends before its dependencies.
  for (const prefix of ["agent-", "backend-", "ingester-", "cluster-"]) {
    await Promise.all(
      services.filter(({ name }) => name.startsWith(prefix)).map((service) => service.stop()),
    );
  }
});
for (const { account, cluster, seed } of agents) {
  if (seed !== undefined) {
    start(
      `cluster-${account}-${cluster}`,
      "deploy/local/simulated-cluster.ts",
      ...["--seed", String(seed), "--kubeconfig", kubeconfigOf(account, cluster)],
    );
  }
}
const shared = ["--database-url", postgres.url, ...busFlags];
for (const [index, port] of backendPorts.entries()) {
  const listen = ["--port", String(port), "--probe-port", String(port + 100)];
  const runs = ["--reconcile-interval", "1m"];
  start(
    `backend-${index + 1}`,
    EVENKEEL,
    "backend",
    ...listen,
    ...runs,
    "--auth-public-keys",
    keys.public,
    ...shared,
  );
}
for (const [index, name] of ingesterNames.entries()) {
  start(name, EVENKEEL, "ingester", "--probe-port", String(7190 + index), ...shared);
}
await waitUntilReady([
  ...backendPorts.map((port) => port + 100),
  ...ingesterNames.map((_, index) => 7190 + index),
]);
for (const { account, cluster, backend } of agents) {
  const tokenFile = join(directory, `${account}-${cluster}.token`);
  writeFileSync(
    tokenFile,
    run("token", "create", "--key", keys.private, "--account", account, "--cluster", cluster),
    {
      mode: 0o600,
    },
  );
  start(
    `agent-${account}-${cluster}`,
    EVENKEEL,
    "agent",
    ...["--server", `http://127.0.0.1:${backendPorts[backend]}`, "--token-file", tokenFile],
    ...["--cluster", cluster, "--kubeconfig", kubeconfigOf(account, cluster)],
  );
}
for (const account of new Set(agents.map((agent) => agent.account))) {
  const token = run("token", "create", "--key", keys.private, "--account", account);
  writeFileSync(join(directory, `${account}.token`), token, { mode: 0o600 });
}

say("");
say(`  backends  ${backendPorts.map((port) => `http://127.0.0.1:${port}`).join("  ")}`);
say(`  metrics   http://127.0.0.1:7170/metrics (backend)  http://127.0.0.1:7190/metrics (ingester)`);
say(`  Postgres  psql ${postgres.url}`);
say(`  Pulsar    ${broker.webSocketUrl}  admin ${broker.adminUrl}`);
say(`  logs      ${shown(directory)}/*.log`);
say("");
say("Write to a cluster and read its copy:");
say(
  `  export KUBECONFIG=${shown(kubeconfigOf("acme", "real"))} EVENKEEL_TOKEN_FILE=${shown(join(directory, "acme.token"))}`,
);
say("  kubectl create configmap hello --from-literal=text=world");
say("  npm run -s evenkeel -- objects real --resource configmaps --namespace default");
say("  npm run -s evenkeel -- clusters");
say("Ctrl-C stops everything.");

const first = await Promise.race([
  stop.signal.aborted ? undefined : once(stop.signal, "abort").then(() => undefined),
  ...services.map(({ name, logPath, ended }) => ended.then((how) => ({ name, logPath, how }))),
]);
if (first !== undefined) {
  say(`${first.name}: ended with ${first.how}; see ${shown(first.logPath)}`);
  process.exitCode = 1;
}
say("stopping");

/**
 * Runs a command of Evenkeel and returns its output.
 *
 * @throws Error with the command's error output if it fails
 */
function run(...args: readonly string[]): string {
  return execFileSync(process.execPath, [join(root, EVENKEEL), ...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
}

async function waitUntilReady(probePorts: readonly number[]): Promise<void> {
  const deadline = performance.now() + READY_TIMEOUT_MS;
  for (const port of probePorts) {
    for (;;) {
      const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined);
      if (answer?.ok) {
        break;
      }
      if (stop.signal.aborted || performance.now() > deadline) {
        const reason = (await answer?.text()) ?? "does not answer";
        throw new Error(`http://127.0.0.1:${port}/readyz: ${reason}; see ${shown(directory)}/*.log`);
      }
      await sleep(100);
    }
  }
}
