import { createMemoryBus, type MemoryBus } from "../bus/memory/memory-bus.ts";
import type { ServerConfig } from "../config/programs/server.ts";
import { TOPICS } from "../event/topics.ts";
import { NEVER, untilAborted } from "../lib/abort.ts";
import { toMessage } from "../lib/errors.ts";
import { createDatabase } from "../store/postgres/database.ts";
import { type BackendRunOptions, type RunningBackend, startBackend } from "./backend.ts";
import { superviseIngester } from "./ingester.ts";
import { assertMigrated, checkDatabase } from "./program-context.ts";
import { configureRuntime, type Runtime } from "./runtime.ts";

/** Runs `evenkeel server` until `signal` aborts: backend and ingester in one process. */
export async function runServer(signal: AbortSignal, config: ServerConfig): Promise<void> {
  await using runtime = await configureRuntime("evenkeel-server", config.telemetry);
  const { log } = runtime;
  await assertMigrated(config.databaseUrl, log);
  await using database = createDatabase({ url: config.databaseUrl });
  await runtime.serveProbes(signal, [checkDatabase(database)]);
  const server = await startServer(signal, { ...config, database, runtime });
  log.info(config.auth.type === "none" ? "serving without authentication, on loopback only" : "serving", {
    url: server.url,
  });
  await server.ended;
  log.info("stopped");
}

/** How long the ingester has to apply what the bus still holds, in milliseconds. */
const FINISH_TIMEOUT_MS = 10_000;

/** Starts backend and ingester in this process, over the memory bus. */
export async function startServer(
  signal: AbortSignal,
  options: Omit<BackendRunOptions, "bus">,
): Promise<RunningBackend> {
  const bus = createMemoryBus();
  // The ingester ends last: it applies what the backend has told agents to be safe.
  const ingesting = new AbortController();
  const backend = await startBackend(signal, { ...options, bus });
  const ingester = superviseIngester(ingesting.signal, { ...options, bus });
  const stop = async (): Promise<void> => {
    await untilAborted(signal);
    await backend.ended;
    await finish(bus, options.runtime);
    ingesting.abort(new Error("the server stops"));
    await ingester;
    await bus.close();
  };
  return { url: backend.url, ended: stop() };
}

/** Lets the ingester apply what the bus holds: that would end with the process. */
async function finish(bus: MemoryBus, { clock, log }: Runtime): Promise<void> {
  using deadline = clock.deadline(NEVER, FINISH_TIMEOUT_MS);
  try {
    await bus.emptied(deadline.signal, TOPICS.events);
  } catch (error) {
    log.warn("stopping before everything was applied; a run at the next connect finds what is missing", {
      error: toMessage(error),
    });
  }
}
