import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "../../../deploy/local/components/free-port.ts";
import { createPrograms, type Program } from "../e2e/programs.ts";
import { createTokenIssuer } from "../rpc/token-issuer.ts";
import { type Failpoint, formatFailpoint } from "./failpoints.ts";
import { createTcpProxy, type TcpProxy } from "./tcp-proxy.ts";

/** One process, which can be restarted. */
export interface Member {
  /** Current process. */
  readonly program: Program;
  /** Starts it again with the same flags, and with a failpoint if one is given. */
  start(failpoint?: Failpoint): Program;
}

/** One cluster of an account. Its agent reads one namespace. */
export interface Tenancy {
  readonly account: string;
  readonly cluster: string;
  readonly namespace: string;
}

/** Servers, sizes and flags of a fleet. */
export interface FleetOptions {
  readonly databaseUrl: string;
  readonly kubeconfigPath: string;
  readonly tenancies: readonly Tenancy[];
  /** `server` is one process of `evenkeel server`, without a broker. */
  readonly size: "server" | { readonly backends: number; readonly ingesters: number };
  /** The broker and the tenant of its topics; unused without a broker. */
  readonly bus: { readonly webSocketUrl: string; readonly tenant: string };
  /** Resource types that the agents read. */
  readonly resources: string;
}

/** The connections between the programs, each through a proxy. */
export interface FleetLinks {
  /** From agents to each backend. */
  readonly backends: readonly TcpProxy[];
  /** From backends, or the one server, to Postgres. */
  readonly backendDatabase: TcpProxy;
  readonly ingesterDatabase: TcpProxy;
  readonly backendBroker: TcpProxy;
  readonly ingesterBroker: TcpProxy;
  /** From agents to the API server. */
  readonly kube: TcpProxy;
}

/** The processes of a scenario, with a proxy on each of their connections. */
export interface ChaosFleet extends AsyncDisposable {
  /** Backends, or the one server. */
  readonly backends: readonly Member[];
  readonly ingesters: readonly Member[];
  /** One agent for each tenancy, connected to the backends in turn. */
  readonly agents: readonly Member[];
  readonly links: FleetLinks;
  /** All processes, ended ones included. */
  readonly programs: readonly Program[];
  /** Starts another agent of a tenancy at a backend. */
  startAgent(tenancy: Tenancy, backend: number): Promise<Member>;
  /** Writes the token of an agent, which reads it at each connection. It expires at the time in seconds. */
  writeToken(tenancy: Tenancy, expiresAt?: number): Promise<void>;
}

const failingEntry = fileURLToPath(new URL("failing-evenkeel.ts", import.meta.url));

/** Time between the runs of a cluster. */
const RECONCILE_INTERVAL = "3s";

/** Starts a fleet. */
export async function startChaosFleet(options: FleetOptions): Promise<ChaosFleet> {
  const { size, bus, tenancies, resources } = options;
  await using stack = new AsyncDisposableStack();
  const directory = mkdtempSync(join(tmpdir(), "evenkeel-chaos-fleet-"));
  stack.defer(() => rmSync(directory, { recursive: true, force: true }));
  const issuer = createTokenIssuer();
  const keyPath = join(directory, "tokens.pub");
  writeFileSync(keyPath, issuer.publicPem);
  const tokenPath = ({ account }: Tenancy): string => join(directory, `${account}.token`);

  const ports = await Promise.all(Array.from({ length: size === "server" ? 1 : size.backends }, freePort));
  const linkTo = async (port: number): Promise<TcpProxy> => stack.use(await createTcpProxy(port));
  const links: FleetLinks = {
    backends: await Promise.all(ports.map(linkTo)),
    backendDatabase: await linkTo(portOf(options.databaseUrl)),
    ingesterDatabase: await linkTo(portOf(options.databaseUrl)),
    backendBroker: await linkTo(portOf(bus.webSocketUrl)),
    ingesterBroker: await linkTo(portOf(bus.webSocketUrl)),
    kube: await linkTo(apiPortOf(options.kubeconfigPath)),
  };
  const databaseArgs = ({ port }: TcpProxy) => ["--database-url", withPort(options.databaseUrl, port)];
  const busArgs = ({ port }: TcpProxy) => [
    ...["--bus-url", withPort(bus.webSocketUrl, port), "--bus-tenant", bus.tenant],
    // With it, an ingester notices a subscription that the broker has stalled.
    ...["--bus-admin-url", `http://127.0.0.1:${port}`],
  ];
  const kubeconfigPath = join(directory, "kubeconfig.json");
  writeFileSync(kubeconfigPath, redirectKubeconfig(options.kubeconfigPath, links.kube.port));

  // Programs end before the proxies.
  const usual = stack.use(createPrograms());
  const failing = stack.use(createPrograms(failingEntry));
  const programs: Program[] = [];
  const startMember = (...args: readonly string[]): Member => {
    const start = (failpoint?: Failpoint): Program => {
      const program =
        failpoint === undefined ? usual.start(...args) : failing.start(formatFailpoint(failpoint), ...args);
      programs.push(program);
      return program;
    };
    let program = start();
    return {
      get program() {
        return program;
      },
      start(failpoint) {
        program = start(failpoint);
        return program;
      },
    };
  };

  const backends = ports.map((port) =>
    startMember(
      size === "server" ? "server" : "backend",
      ...["--port", String(port), "--auth-public-keys", keyPath],
      ...["--reconcile-interval", RECONCILE_INTERVAL, "--run-deadline", "30s"],
      ...databaseArgs(links.backendDatabase),
      ...(size === "server" ? [] : busArgs(links.backendBroker)),
    ),
  );
  const ingesters = Array.from({ length: size === "server" ? 0 : size.ingesters }, () =>
    startMember("ingester", ...databaseArgs(links.ingesterDatabase), ...busArgs(links.ingesterBroker)),
  );
  const writeToken: ChaosFleet["writeToken"] = async (tenancy, expiresAt) => {
    const { account, cluster } = tenancy;
    const claims = { account, cluster, ...(expiresAt !== undefined && { exp: expiresAt }) };
    writeFileSync(tokenPath(tenancy), await issuer.issue(claims));
  };
  const startAgent: ChaosFleet["startAgent"] = async (tenancy, backend) => {
    const { cluster, namespace } = tenancy;
    return startMember(
      "agent",
      ...["--server", `http://127.0.0.1:${links.backends[backend]?.port}`],
      ...["--token-file", tokenPath(tenancy), "--cluster", cluster, "--kubeconfig", kubeconfigPath],
      ...["--resources", resources, "--namespaces", namespace],
    );
  };
  await Promise.all(tenancies.map((tenancy) => writeToken(tenancy)));
  const agents = await Promise.all(
    tenancies.map((tenancy, index) => startAgent(tenancy, index % backends.length)),
  );
  const disposal = stack.move();
  return {
    ...{ backends, ingesters, agents, links, programs, startAgent, writeToken },
    [Symbol.asyncDispose]: () => disposal.disposeAsync(),
  };
}

function portOf(url: string): number {
  return Number(new URL(url).port);
}

function withPort(url: string, port: number): string {
  const changed = new URL(url);
  changed.port = String(port);
  return changed.href;
}

interface Kubeconfig {
  readonly clusters: readonly { readonly name: string; readonly cluster: { readonly server: string } }[];
}

function apiPortOf(kubeconfigPath: string): number {
  const { clusters }: Kubeconfig = JSON.parse(readFileSync(kubeconfigPath, "utf8"));
  return portOf(clusters[0]?.cluster.server ?? "");
}

/** Returns a kubeconfig whose server has another port of the same host, for which its certificate is valid too. */
function redirectKubeconfig(path: string, port: number): string {
  const kubeconfig: Kubeconfig = JSON.parse(readFileSync(path, "utf8"));
  const clusters = kubeconfig.clusters.map(({ name, cluster }) => ({
    name,
    cluster: { ...cluster, server: withPort(cluster.server, port) },
  }));
  return JSON.stringify({ ...kubeconfig, clusters });
}
