import { createAgent } from "../../../src/agent/agent.ts";
import { runCli } from "../../../src/cli/cli.ts";
import { createKubeTransport } from "../../../src/kube/http-transport.ts";
import { loadKubeConfig } from "../../../src/kube/load-kube-config.ts";
import { createSystemClock } from "../../../src/lib/clock.ts";
import { createTokenSource } from "../../../src/lib/token-source.ts";
import { fromKubeconfig } from "../../../src/main/agent.ts";
import { startBackend } from "../../../src/main/backend.ts";
import { RestartTrigger, superviseIngester } from "../../../src/main/ingester.ts";
import { openProgramContext } from "../../../src/main/program-context.ts";
import { readVersion } from "../../../src/main/read-version.ts";
import { configureRuntime } from "../../../src/main/runtime.ts";
import { createSyncClient } from "../../../src/rpc/client/sync-client.ts";
import { parseFailpoint, withAgentFailpoint, withFailpoint } from "./failpoints.ts";

/*
 * Runs `evenkeel backend`, `evenkeel ingester` and `evenkeel agent` with a failpoint in their ports, so that the programs
 * themselves have none: node failing-evenkeel.ts after-commit:3:SIGKILL ingester ...
 */

const [failpointText = "", ...args] = process.argv.slice(2);
const failpoint = parseFailpoint(failpointText);
const stop = new AbortController();
process.on("SIGTERM", () => stop.abort());

const refuse = async (): Promise<void> => {
  throw new Error("expected backend, ingester or agent");
};

process.exitCode = await runCli(
  {
    signal: stop.signal,
    clock: createSystemClock(),
    environment: process.env,
    print: (text) => process.stdout.write(text),
    printError: (text) => process.stderr.write(text),
    ask: undefined,
    readInput: async () => "",
    programs: {
      async runBackend(signal, config) {
        await using opened = await openProgramContext(signal, "evenkeel-backend", config);
        const ports = withFailpoint(opened, failpoint);
        const backend = await startBackend(signal, { ...config, runtime: opened.runtime, ...ports });
        await backend.ended;
      },
      async runIngester(signal, config) {
        const restart = new RestartTrigger();
        await using opened = await openProgramContext(signal, "evenkeel-ingester", config, {
          onStall: (reason) => restart.request(reason),
        });
        const ports = withFailpoint(opened, failpoint);
        await superviseIngester(signal, { ...config, runtime: opened.runtime, ...ports, restart });
      },
      async runAgent(signal, config) {
        await using runtime = await configureRuntime("evenkeel-agent", config.telemetry);
        const kube = createKubeTransport(loadKubeConfig(fromKubeconfig(config)));
        const openSync = createSyncClient(config.server, createTokenSource(config));
        const ports = withAgentFailpoint({ kube, openSync }, failpoint);
        await createAgent({ ...config, ...runtime, ...ports, agentVersion: readVersion() }).run(signal);
      },
      runServer: refuse,
      runDev: refuse,
    },
  },
  readVersion(),
  args,
);
