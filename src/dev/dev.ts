import { setTimeout as delay } from "node:timers/promises";
import { DEFAULT_EXCLUDED_RESOURCES } from "../config/programs/agent.ts";
import type { DevConfig } from "../config/programs/dev.ts";
import { createPinoLog } from "../lib/pino-log.ts";
import { withoutPassword } from "../lib/postgres-url.ts";
import { escapeControls } from "../lib/text.ts";
import { fromKubeconfig, runAgentOn } from "../main/agent.ts";
import { readVersion } from "../main/read-version.ts";
import { createRuntime } from "../main/runtime.ts";
import { startServer } from "../main/server.ts";
import { createStopDeadline } from "../main/stop-deadline.ts";
import { createDatabase } from "../store/postgres/database.ts";
import { migrate } from "../store/postgres/migrate.ts";
import { closeLeftSessions } from "../store/sql/end-sessions.ts";
import { openEmbeddedPostgres } from "./embedded-postgres/embedded-postgres.ts";
import { createNarrator } from "./narration.ts";
import { startSimulation } from "./start-simulation.ts";

/** Time for the agent to deliver its last messages before the server stops, in milliseconds. */
const AGENT_STOP_MS = 5_000;

/**
 * Runs `evenkeel dev` until `signal` aborts: server, agent, an embedded Postgres and a simulated cluster in this
 * process, unless the configuration names real ones. It never writes to a real cluster and never breaks its rows.
 */
export async function runDev(signal: AbortSignal, config: DevConfig): Promise<void> {
  const runtime = createRuntime(createPinoLog({ level: config.logLevel, format: config.logFormat }));
  const { log } = runtime;
  const print = (line: string): void => void process.stdout.write(`${escapeControls(line, "\n")}\n`);
  const { cluster } = config;
  const isReal = config.kubeconfig !== undefined || config.kubeContext !== undefined;
  print(`Evenkeel ${readVersion()}`);

  await using stack = new AsyncDisposableStack();
  const postgres =
    config.databaseUrl === undefined
      ? stack.use(await openEmbeddedPostgres({ dataDir: config.dataDir }))
      : { url: config.databaseUrl };
  const databaseUrl = postgres.url;
  await migrate(databaseUrl, undefined, { signal });
  const deadline = stack.use(createStopDeadline(signal, runtime.clock));
  const database = stack.use(createDatabase({ url: databaseUrl, abort: deadline.signal }));
  if (config.databaseUrl === undefined) {
    await closeLeftSessions(database.pool);
  }
  const parts = new AbortController();
  const server = await startServer(parts.signal, {
    ...config,
    auth: { type: "none" },
    database,
    runtime,
  });
  stack.defer(() => server.ended);
  stack.defer(() => parts.abort(new Error("stopped")));

  const simulation = isReal ? undefined : stack.use(await startSimulation(config, databaseUrl, log));
  print(`  API       ${server.url}  (no authentication, loopback only)`);
  print(`  Postgres  psql '${withoutPassword(databaseUrl)}'`);
  print(`  cluster   ${simulation?.description ?? "real, from the kubeconfig; only read"}`);
  print(`  try       evenkeel clusters | objects ${cluster} | runs | reconcile ${cluster}; stop with Ctrl-C`);
  print("");

  const narrator = createNarrator(database, print);
  const failed = new AbortController();
  const running = AbortSignal.any([signal, failed.signal]);
  const tasks = [
    runAgentOn(
      running,
      {
        server: server.url,
        cluster,
        resources: ["*"],
        excludeResources: DEFAULT_EXCLUDED_RESOURCES,
        namespaces: [],
        token: undefined,
        tokenFile: undefined,
      },
      simulation?.source ?? fromKubeconfig(config),
      runtime,
    ),
    narrator.run(running),
    simulation?.run(running, narrator.drift),
  ];
  try {
    await Promise.all(tasks);
  } finally {
    failed.abort(new Error("stopped"));
    await Promise.race([Promise.allSettled(tasks), delay(AGENT_STOP_MS, undefined, { ref: false })]);
  }
  print("stopped");
}
