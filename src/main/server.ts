import type { ServerConfig } from "../config/programs/server.ts";
import { createDatabase } from "../store/postgres/database.ts";
import { assertMigrated } from "./assert-migrated.ts";
import { checkDatabase } from "./check-database.ts";
import { configureRuntime } from "./runtime.ts";
import { startServer } from "./start-server.ts";

/** Runs `evenkeel server` until `signal` aborts: backend and ingester in one process. */
export async function runServer(signal: AbortSignal, config: ServerConfig): Promise<void> {
  await using runtime = await configureRuntime("evenkeel-server", config.telemetry);
  const { log } = runtime;
  await assertMigrated(config.databaseUrl, log);
  await using database = createDatabase({ url: config.databaseUrl });
  await runtime.serveProbes(signal, [checkDatabase(database)]);
  const server = await startServer(signal, { ...config, database, runtime });
  log.info(config.auth.kind === "none" ? "serving without authentication, on loopback only" : "serving", {
    url: server.url,
  });
  await server.ended;
  log.info("stopped");
}
