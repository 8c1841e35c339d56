import { createMemoryBus, type MemoryBus } from "../bus/memory/memory-bus.ts";
import type { ServerConfig } from "../config/programs/server.ts";
import { TOPICS } from "../event/topics.ts";
import { NEVER, untilAborted } from "../lib/abort.ts";
import { toMessage } from "../lib/errors.ts";
import { createDatabase } from "../store/postgres/database.ts";
import { type BackendRunOptions, type RunningBackend, startBackend } from "./backend.ts";
import { createClockMonitor } from "./clock-monitor.ts";
import { type SuperviseIngesterOptions, superviseIngester } from "./ingester.ts";
import { assertMigrated, checkDatabase, runUntilDisposed } from "./program-context.ts";
import { configureRuntime, type Runtime } from "./runtime.ts";

/** Runs `evenkeel server` until `signal` aborts: backend and ingester in one process. */
export async function runServer(signal: AbortSignal, config: ServerConfig): Promise<void> {
  await using runtime = await configureRuntime("evenkeel-server", config.telemetry);
  const { log } = runtime;
  await assertMigrated(config.databaseUrl, log);
  await using database = createDatabase({ url: config.databaseUrl });
  const clockMonitor = createClockMonitor({ ...runtime, database });
  await using monitors = new AsyncDisposableStack();
  monitors.defer(runUntilDisposed(signal, clockMonitor));
  await runtime.serveProbes(signal, [checkDatabase(database), clockMonitor.check]);
  const server = await startServer(signal, { ...config, database, runtime });
  log.info("server started", { url: server.url, authentication: config.auth.type });
  await server.ended;
  log.info("server stopped");
}

/** Time for the ingester to apply the messages that remain on the bus, in milliseconds. */
const FINISH_TIMEOUT_MS = 10_000;

/** Starts backend and ingester in this process, over the memory bus. */
export async function startServer(
  signal: AbortSignal,
  options: Omit<BackendRunOptions, "bus"> & Pick<SuperviseIngesterOptions, "scrubRows" | "guard">,
): Promise<RunningBackend> {
  const bus = createMemoryBus();
  // The ingester ends last: it must apply the messages that the backend has acknowledged to agents.
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

/**
 * Waits until the ingester has applied all messages of the bus, because they are lost when the process ends.
 */
async function finish(bus: MemoryBus, { clock, log }: Runtime): Promise<void> {
  using deadline = clock.deadline(NEVER, FINISH_TIMEOUT_MS);
  try {
    await bus.emptied(deadline.signal, TOPICS.events);
  } catch (error) {
    log.warn("messages lost before the ingester applied them; a run at the next connect repairs their rows", {
      error: toMessage(error),
    });
  }
}
