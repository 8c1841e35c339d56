import { fromJson } from "@bufbuild/protobuf";
import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import { expect } from "vitest";
import { freePort } from "../../../deploy/local/components/free-port.ts";
import { FleetService, ReconciliationRunSchema } from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { eventually } from "./eventually.ts";
import { callFleet, countFindings } from "./fleet-api.ts";
import type { CommandResult, Program, Programs } from "./programs.ts";

/** Database, cluster and flags of a server and its agent. */
export interface ServerAndAgentOptions {
  readonly programs: Programs;
  readonly databaseUrl: string;
  /** Name of the cluster. */
  readonly cluster: string;
  readonly kubeconfigPath: string;
  /** Further flags of the agent. */
  readonly agentArgs?: readonly string[];
  /** Further flags of the server. The interval between runs is one hour unless they set it. */
  readonly serverArgs?: readonly string[];
}

/**
 * Processes of `evenkeel server` and `evenkeel agent`, which restart on the same port and as the same
 * cluster.
 */
export interface ServerAndAgent {
  readonly serverUrl: string;
  /** Starts the server after its end. */
  startServer(): Program;
  startAgent(...args: readonly string[]): Program;
  /** Current processes. */
  readonly server: Program;
  readonly agent: Program;
  /** Runs a command against the server, such as `reconcile`. */
  ask(...args: readonly string[]): Promise<CommandResult>;
  /**
   * Runs `evenkeel reconcile` and returns the number of repaired rows; throws unless every resource type was
   * verified.
   */
  reconcile(): Promise<number>;
  /** Waits until a run has verified the cluster of an agent that connected after `since`. */
  connected(since: Date): Promise<void>;
  /** Waits until the agent has a session that opened after the start of the current server. */
  reopened(): Promise<void>;
}

/** Starts both. */
export async function startServerAndAgent(options: ServerAndAgentOptions): Promise<ServerAndAgent> {
  const { programs, databaseUrl, cluster, kubeconfigPath, agentArgs = [], serverArgs = [] } = options;
  const port = String(await freePort());
  const serverUrl = `http://127.0.0.1:${port}`;
  const startServer = (): Program => {
    const interval = ["--reconcile-interval", "1h"];
    return programs.start(
      "server",
      "--insecure-no-auth",
      "--port",
      port,
      "--database-url",
      databaseUrl,
      ...interval,
      ...serverArgs,
    );
  };
  const startAgent = (...args: readonly string[]): Program => {
    const from = ["--server", serverUrl, "--cluster", cluster, "--kubeconfig", kubeconfigPath];
    return programs.start("agent", ...from, ...agentArgs, ...args);
  };
  let serverStarted = Date.now();
  let server = startServer();
  let agent = startAgent();
  const ask = (...args: readonly string[]): Promise<CommandResult> =>
    programs.run(...args, "--server", serverUrl);
  return {
    serverUrl,
    get server() {
      return server;
    },
    get agent() {
      return agent;
    },
    startServer() {
      serverStarted = Date.now();
      server = startServer();
      return server;
    },
    startAgent(...args) {
      agent = startAgent(...args);
      return agent;
    },
    ask,
    async reconcile() {
      const { code, stdout, stderr } = await ask("reconcile", cluster, "--output", "json");
      expect(code, `${stderr}\n${stdout}`).toBe(0);
      return countFindings(fromJson(ReconciliationRunSchema, JSON.parse(stdout).run));
    },
    async connected(since) {
      await eventually("the run of the agent that connects", async () => {
        const { method } = FleetService;
        const { cluster: found } = await callFleet(serverUrl, method.getCluster, { name: cluster });
        const opened = toTime(found?.session?.openTime);
        expect(opened).toBeGreaterThanOrEqual(since.getTime());
        expect(toTime(found?.freshness?.verifiedTime)).toBeGreaterThanOrEqual(opened);
      });
    },
    async reopened() {
      await eventually("the agent's session on the new server", async () => {
        const { method } = FleetService;
        const { cluster: found } = await callFleet(serverUrl, method.getCluster, { name: cluster });
        expect(toTime(found?.session?.openTime)).toBeGreaterThanOrEqual(serverStarted);
      });
    },
  };
}

function toTime(timestamp: Timestamp | undefined): number {
  return timestamp === undefined ? 0 : timestampDate(timestamp).getTime();
}
