import { createMemoryBus } from "../bus/memory/memory-bus.ts";
import type { ServerConfig } from "../config/programs/server.ts";
import { untilAborted } from "../lib/abort.ts";
import { createDatabase } from "../store/postgres/database.ts";
import { type BackendRunOptions, READ_CONNECTIONS, type RunningBackend, startBackend } from "./backend.ts";
import { createClockMonitor } from "./clock-monitor.ts";
import { type SuperviseIngesterOptions, superviseIngester } from "./ingester.ts";
import { assertMigrated, checkDatabase, runUntilDisposed } from "./program-context.ts";
import { configureRuntime } from "./runtime.ts";
import { createStopDeadline } from "./stop-deadline.ts";

/** Runs `evenkeel server` until `signal` aborts: backend and ingester in one process. */
export async function runServer(signal: AbortSignal, config: ServerConfig): Promise<void> {
  await using runtime = await configureRuntime("evenkeel-server", config.telemetry);
  const { log, clock } = runtime;
  await assertMigrated(signal, config.databaseUrl, log);
  using deadline = createStopDeadline(signal, clock);
  await using database = createDatabase({ url: config.databaseUrl, abort: deadline.signal });
  await using reads = createDatabase({
    url: config.databaseUrl,
    maxConnections: READ_CONNECTIONS,
    abort: deadline.signal,
  });
  const clockMonitor = createClockMonitor({ ...runtime, database });
  await using monitors = new AsyncDisposableStack();
  monitors.defer(runUntilDisposed(signal, clockMonitor));
  await runtime.serveProbes(signal, [checkDatabase(database), clockMonitor.check]);
  const server = await startServer(signal, { ...config, database, reads, runtime });
  log.info("server started", { url: server.url, authentication: config.auth.type });
  await server.ended;
  log.info("server stopped");
}

/**
 * Starts backend and ingester in this process, over the memory bus. An agent is acknowledged after COMMIT, so that
 * nothing of it is lost with the process, also if that is killed.
 */
export async function startServer(
  signal: AbortSignal,
  options: Omit<BackendRunOptions, "bus"> & Pick<SuperviseIngesterOptions, "scrubRows" | "guard">,
): Promise<RunningBackend> {
  const bus = createMemoryBus({ receiptAt: "acknowledged" });
  // The ingester ends last: agents that are drained wait for their acknowledgements.
  const ingesting = new AbortController();
  const backend = await startBackend(signal, { ...options, bus });
  const ingester = superviseIngester(ingesting.signal, { ...options, bus });
  const stop = async (): Promise<void> => {
    await untilAborted(signal);
    await backend.ended;
    ingesting.abort(new Error("the server stops"));
    await ingester;
    await bus.close();
  };
  return { url: backend.url, ended: stop() };
}
