import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../../deploy/local/components/free-port.ts";
import { createTokenIssuer } from "../rpc/token-issuer.ts";
import type { CommandResult, Program, ProgramEnd, Programs } from "./programs.ts";

/** One cluster of a fleet: its account, and the source of its agent. */
export interface Tenancy {
  readonly account: string;
  readonly cluster: string;
  readonly kubeconfigPath: string;
  /** Further flags of the agent. */
  readonly agentArgs?: readonly string[];
}

/** Database, bus and size of a fleet. */
export interface FleetOptions {
  readonly programs: Programs;
  readonly databaseUrl: string;
  /** Flags that name the broker. */
  readonly busArgs: readonly string[];
  readonly clusters: readonly Tenancy[];
  readonly backends: number;
  readonly ingesters: number;
}

/** One process of a fleet, which can be restarted. */
export interface Member {
  /** Name, such as "backend 2". */
  readonly name: string;
  /** Current process. */
  readonly program: Program;
  /** URL of its probes and metrics. */
  readonly probeUrl: string;
  /** Starts it again with the same flags. */
  start(): void;
}

/** Backends, ingesters and agents as processes, each cluster with a token of its account. */
export interface Fleet extends Disposable {
  readonly backends: readonly Member[];
  readonly ingesters: readonly Member[];
  readonly agents: readonly Member[];
  /** Runs a command with a token of the account, such as `clusters`. */
  ask(account: string, ...args: readonly string[]): Promise<CommandResult>;
  /** Stops all processes, agents first, and returns their exit states. */
  stop(): Promise<readonly ProgramEnd[]>;
}

/** Starts a fleet. Agents are assigned to the backends in turn. */
export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const { programs, databaseUrl, busArgs, clusters } = options;
  const directory = mkdtempSync(join(tmpdir(), "evenkeel-fleet-"));
  const issuer = createTokenIssuer();
  const keyPath = join(directory, "tokens.pub");
  writeFileSync(keyPath, issuer.publicPem);
  const tokenFile = async (account: string, cluster?: string): Promise<string> => {
    const path = join(directory, `${account}-${cluster ?? "all"}.token`);
    writeFileSync(path, await issuer.issue({ account, cluster }));
    return path;
  };
  const member = async (name: string, args: readonly string[]): Promise<Member> => {
    const probePort = await freePort();
    const all = [...args, "--probe-port", String(probePort)];
    let program = programs.start(...all);
    return {
      name,
      probeUrl: `http://127.0.0.1:${probePort}`,
      get program() {
        return program;
      },
      start() {
        program = programs.start(...all);
      },
    };
  };
  const ports = await Promise.all(Array.from({ length: options.backends }, () => freePort()));
  const urls = ports.map((port) => `http://127.0.0.1:${port}`);
  const shared = ["--database-url", databaseUrl, ...busArgs];
  const backends = await Promise.all(
    ports.map((port, index) =>
      member(`backend ${index + 1}`, [
        "backend",
        ...["--port", String(port), "--auth-public-keys", keyPath],
        ...["--reconcile-interval", "10s", "--run-deadline", "30s"],
        // The clusters of a test can be namespaces of one cluster.
        "--allow-duplicate-clusters",
        ...shared,
      ]),
    ),
  );
  const ingesters = await Promise.all(
    Array.from({ length: options.ingesters }, (_, index) =>
      member(`ingester ${index + 1}`, ["ingester", ...shared]),
    ),
  );
  const agents = await Promise.all(
    clusters.map(async ({ account, cluster, kubeconfigPath, agentArgs = [] }, index) =>
      member(`agent ${account}/${cluster}`, [
        "agent",
        ...["--server", urls[index % urls.length] ?? "", "--token-file", await tokenFile(account, cluster)],
        ...["--cluster", cluster, "--kubeconfig", kubeconfigPath],
        ...agentArgs,
      ]),
    ),
  );
  return {
    backends,
    ingesters,
    agents,
    async ask(account, ...args) {
      return await programs.run(...args, "--server", urls[0] ?? "", "--token-file", await tokenFile(account));
    },
    async stop() {
      const ends: ProgramEnd[] = [];
      for (const group of [agents, backends, ingesters]) {
        ends.push(...(await Promise.all(group.map(({ program }) => program.end("SIGTERM")))));
      }
      return ends;
    },
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  };
}
